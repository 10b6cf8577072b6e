-- Whose transaction a session waits for to end. $1: its process
SELECT a.pid, a.usename, a.application_name, a.datname, a.state, p.gid, p.database,
       to_char(coalesce(a.xact_start, p.prepared) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = l.transactionid
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = ANY (pg_catalog.pg_blocking_pids(l.pid))
 WHERE l.pid = $1 AND NOT l.granted
 ORDER BY a.xact_start NULLS LAST
 LIMIT 1
