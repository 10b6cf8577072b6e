-- $1: a table. The files that hold its rows, and those of its partitions, in one text.
SELECT pg_catalog.string_agg(t.oid::text || ':' || coalesce(pg_catalog.pg_relation_filenode(t.oid)::text, '-'), ' ' ORDER BY t.oid) AS mark
FROM (SELECT $1::oid AS oid UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) t
