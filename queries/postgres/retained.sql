-- How much of its log the server keeps for one replication slot, and may still write before it discards that. $1: name
SELECT greatest(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                s.restart_lsn), 0)::bigint AS bytes,
       s.safe_wal_size, s.wal_status,
       pg_size_bytes(current_setting('max_slot_wal_keep_size')) AS keeps,
       s.wal_status = 'unreserved' AS endangered,
       s.wal_status = 'lost' OR s.restart_lsn IS NULL OR to_jsonb(s) ->> 'conflicting' = 'true' OR to_jsonb(s) ->> 'invalidation_reason' IS NOT NULL AS lost
  FROM pg_catalog.pg_replication_slots s
 WHERE s.slot_name = $1
