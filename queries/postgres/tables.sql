-- Everything in user schemas that looks like a table. Takes no locks on the tables.
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relispartition,
       c.reltuples::float8 AS reltuples, c.relpages, c.relfilenode, c.xmin::text AS written, pg_current_snapshot()::text AS as_of,
       has_schema_privilege(n.oid, 'USAGE') AS schema_usage,
       has_table_privilege(c.oid, 'SELECT')
         OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                           AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')) AS may_select,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       row_security_active(c.oid) AS row_security,
       i.indexrelid AS key_index, i.indkey AS key_columns, i.indisprimary AS key_primary,
       EXISTS (SELECT 1 FROM pg_catalog.pg_index u WHERE u.indrelid = c.oid AND u.indisprimary) AS has_primary
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (SELECT x.indexrelid, x.indisprimary,
                            (SELECT array_agg(k.attnum ORDER BY k.at) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, at)
                              WHERE k.at <= x.indnkeyatts) AS indkey
                       FROM pg_catalog.pg_index x
                      WHERE x.indrelid = c.oid AND x.indisvalid AND x.indimmediate AND x.indislive AND x.indpred IS NULL
                        AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END
                      LIMIT 1) i ON true
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   AND n.nspname !~ '^pg_(toast_)?temp_'
   AND ($1::oid IS NULL OR c.oid = $1::oid)
 ORDER BY n.nspname, c.relname
