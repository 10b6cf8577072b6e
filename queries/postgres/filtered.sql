-- Tables of a publication with a row filter or a column list (server 15 and later). $1: its name
SELECT r.prrelid AS oid, r.prqual IS NOT NULL AS rows_filtered
  FROM pg_catalog.pg_publication_rel r
  JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
 WHERE p.pubname = $1 AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)
