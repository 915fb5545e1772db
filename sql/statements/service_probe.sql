-- What /ready tells of the database: its schema and when the loop last ran.
-- $1 text time zone
-- -> newest migration, seconds since the last cycle (null: none yet), paused,
-- whether nothing can be written (a standby, or set so), shards of the log,
-- log rows that wait for the loop (not counted beyond 10,000), age of the
-- oldest in seconds (null: none waits); of the archive's last run whether all
-- is well, in words, seconds since it was heard of (null: never), readings,
-- when that was, us since 1970; whether it knows the time zone
SELECT (SELECT max(version) FROM schema_migrations),
    extract(epoch FROM now() - cycle_at), paused,
    current_setting('transaction_read_only')::bool,
    (SELECT n FROM shards),
    (SELECT count(*) FROM (SELECT FROM ingest_log LIMIT 10000) l),
    (SELECT extract(epoch FROM now() - received_at) FROM ingest_log
	ORDER BY id LIMIT 1),
    a.word IN ('done', 'works', 'none'),
    CASE a.word
        WHEN 'works' THEN concat_ws(' ', 'at work:', coalesce(r.at, 'begun'))
        WHEN 'stands' THEN concat_ws(' ', 'silent since', r.at)
        WHEN 'failed' THEN 'failed: ' || r.error
        WHEN 'late' THEN 'months have an end, and nobody archives them'
        WHEN 'none' THEN 'no run yet'
        ELSE format('%s months in the last run', r.months) END,
    extract(epoch FROM now() - r.said_at), r.readings,
    (extract(epoch FROM r.said_at) * 1000000)::int8, zone_known($1::text)
FROM loop_status
LEFT JOIN LATERAL (SELECT * FROM archive_runs ORDER BY id DESC LIMIT 1) r
    ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN r.ended_at IS NULL AND r.said_at > now() - interval '6 hours'
        THEN 'works'
    WHEN r.ended_at IS NULL AND r.id IS NOT NULL THEN 'stands'
    WHEN r.error IS NOT NULL THEN 'failed'
    WHEN coalesce(r.began_at < now() - interval '50 hours', true)
        AND EXISTS (SELECT FROM retention_classes WHERE keep_days IS NOT NULL)
        THEN 'late'
    WHEN r.id IS NULL THEN 'none'
    ELSE 'done' END AS word) a
