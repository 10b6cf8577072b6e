-- Columns of tables. $1: oid[] of the tables
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attndims, a.attnotnull, a.attgenerated,
       a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR a.atthasmissing AS filled,
       a.xmin::text AS written
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
