-- Tables in a publication as it would show them, each with its entry (0: none of its own). $1: its name
SELECT c.oid, coalesce(r.oid, 0) AS listed
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
 WHERE t.pubname = $1
