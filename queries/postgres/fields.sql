-- Fields of composite types, in order. $1: oid[] of the types
SELECT t.oid, a.attname, a.atttypid
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'c'
 ORDER BY t.oid, a.attnum
