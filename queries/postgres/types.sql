-- What a type is made of and how its values are written. $1: oid[]
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typdelim, t.typelem, t.typbasetype, t.typtypmod, t.typndims, t.typrelid,
       t.typinput = 'pg_catalog.array_in'::regproc AS is_array,
       pn.nspname AS out_schema, p.proname AS out_name, s.proname AS send_name
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = t.typoutput
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
  LEFT JOIN pg_catalog.pg_proc s ON s.oid = t.typsend
 WHERE t.oid = ANY ($1::oid[])
