-- $1: a table. Whether it, or a partition of it, was written to another file than it had in the transaction's snapshot: by
-- TRUNCATE or a change of type, say. What was there before is not seen any more then, by no snapshot.
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_class c
  WHERE (c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)))
    AND c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)) AS moved
