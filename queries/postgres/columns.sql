-- Columns of tables, with what their older rows have in them. $1: oid[] of the tables
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attndims, a.attgenerated, a.attmissingval::text AS missing,
       a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR t.typdefaultbin IS NOT NULL AS filled,
       a.xmin::text AS written, c.relnatts
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
