-- Whether a server is a standby that can give a snapshot at a place of the log, and keeps what is read of it
SELECT pg_is_in_recovery() AS in_recovery, current_setting('wal_level') AS wal_level, current_database() AS database,
       current_setting('hot_standby_feedback')::bool AS feedback,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS free_slots
