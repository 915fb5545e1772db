-- What /ready tells of the database: its schema and when the loop last ran.
-- -> newest migration, seconds since the last cycle (null: none yet), paused,
-- whether nothing can be written (a standby, or set so), shards of the log
SELECT (SELECT max(version) FROM schema_migrations),
    extract(epoch FROM now() - cycle_at), paused,
    current_setting('transaction_read_only')::bool,
    (SELECT n FROM shards)
FROM loop_status
