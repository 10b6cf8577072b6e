-- What rows in partitions that are older than a column have in it: where a partitioned table has no value of its own. More
-- than one kind: it cannot be told. $1: oid of the root
WITH RECURSIVE part (relid) AS (
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = $1::oid
    UNION ALL
    SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.relid
)
SELECT a.attname, min(a.attmissingval::text) AS missing, count(DISTINCT a.attmissingval::text) AS kinds
  FROM part p
  JOIN pg_catalog.pg_attribute a ON a.attrelid = p.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.atthasmissing
 GROUP BY a.attname
