-- A new epoch above all that were, also above what Redis has seen; none while
-- a write of the log takes longer than a second: one that nobody waits for any
-- more may still commit. $1 int8 epoch that Redis holds, 0 if none
-- -> epoch int8
UPDATE hot_epoch SET epoch = greatest(epoch, $1::int8) + 1
WHERE NOT EXISTS (
	SELECT FROM pg_stat_activity
	WHERE state = 'active' AND query LIKE '%INTO ingest_log%'
	    AND pid <> pg_backend_pid()
	    AND query_start < clock_timestamp() - interval '1 second'
	UNION ALL
	SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
	WHERE a.query = '<insufficient privilege>'
	    AND l.relation = 'ingest_log'::regclass
	    AND l.mode = 'RowExclusiveLock'
) RETURNING epoch
