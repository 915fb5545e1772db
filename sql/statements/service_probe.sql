-- What /ready tells of the database: its schema and when the loop last ran.
-- -> newest migration, seconds since the last cycle (null: none yet), paused,
-- whether nothing can be written (a standby, or set so), shards of the log,
-- log rows that wait for the loop (not counted beyond 10,000), age of the
-- oldest in seconds (null: none waits)
SELECT (SELECT max(version) FROM schema_migrations),
    extract(epoch FROM now() - cycle_at), paused,
    current_setting('transaction_read_only')::bool,
    (SELECT n FROM shards),
    (SELECT count(*) FROM (SELECT FROM ingest_log LIMIT 10000) l),
    (SELECT extract(epoch FROM now() - received_at) FROM ingest_log
	ORDER BY id LIMIT 1)
FROM loop_status
