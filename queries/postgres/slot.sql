-- One replication slot. What later servers tell more (two_phase, conflicting, invalidation_reason) is taken if it is there. $1: name
SELECT s.plugin, s.slot_type, s.database, s.active, s.active_pid, s.confirmed_flush_lsn, s.wal_status,
       coalesce(to_jsonb(s) ->> 'two_phase', 'false')::bool AS two_phase,
       coalesce(to_jsonb(s) ->> 'invalidation_reason',
                CASE WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'it conflicted with recovery' END,
                CASE WHEN s.wal_status = 'lost' THEN 'the log it needs is past max_slot_wal_keep_size and was removed' END) AS lost
  FROM pg_catalog.pg_replication_slots s
 WHERE s.slot_name = $1
