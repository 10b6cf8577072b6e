-- What the server and this role allow. $1: name of the slot, $2: of the publication
SELECT current_setting('wal_level') AS wal_level,
       current_setting('server_encoding') AS server_encoding,
       current_setting('server_version') AS server_version,
       pg_is_in_recovery() AS in_recovery,
       r.rolsuper,
       r.rolreplication OR EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                                    WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'MEMBER')) AS may_replicate,
       r.rolname,
       current_database() AS database,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS free_slots,
       current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders()) AS free_senders,
       (SELECT s.slot_name FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1) AS slot,
       p.oid AS publication, p.xmin::text AS altered, p.puballtables, p.pubviaroot,
       p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AS publishes_all,
       (SELECT count(*) FROM pg_catalog.pg_event_trigger e
         WHERE e.evtname IN (left($1, 58) || '_ddl', left($1, 58) || '_drop') AND e.evtenabled IN ('A', 'O')) = 2 AS tells,
       (SELECT count(*) FROM pg_catalog.pg_namespace n WHERE n.nspname = $1) > 0 AS has_schema,
       (SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') FROM pg_catalog.pg_namespace n WHERE n.nspname = $1) AS made_by,
       pg_has_role(p.pubowner, 'USAGE') AS owns_publication
  FROM pg_catalog.pg_roles r
  LEFT JOIN pg_catalog.pg_publication p ON p.pubname = $2
 WHERE r.rolname = current_user
