-- Slots that are being made by sessions of that name. $1: application_name $2: a process that is not meant
SELECT s.slot_name, s.active_pid
  FROM pg_catalog.pg_replication_slots s
  JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
 WHERE a.application_name = $1 AND s.active_pid <> $2 AND s.confirmed_flush_lsn IS NULL
