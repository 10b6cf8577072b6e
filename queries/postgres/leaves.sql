-- Leaf partitions of partitioned tables, with what their changes carry. Takes no locks. $1: oid[] of the roots
WITH RECURSIVE part (root, relid, attached) AS (
    SELECT i.inhparent, i.inhrelid, i.xmin::text FROM pg_catalog.pg_inherits i WHERE i.inhparent = ANY ($1::oid[])
    UNION ALL
    SELECT p.root, i.inhrelid, i.xmin::text FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.relid
)
SELECT p.root, c.oid AS leaf, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relfilenode,
       c.reltuples::float8 AS reltuples, c.relpages,
       EXISTS (SELECT 1 FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate
                  AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END) AS has_key,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS may_select,
       p.attached
  FROM part p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind <> 'p'
 ORDER BY p.root, c.oid
