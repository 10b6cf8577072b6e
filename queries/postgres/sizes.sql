-- Bytes of tables: the main fork, and everything. Takes a short reading lock on each. $1: oid[]
SELECT o.oid, pg_relation_size(o.oid) AS main, pg_table_size(o.oid) AS total FROM unnest($1::oid[]) AS o (oid)
