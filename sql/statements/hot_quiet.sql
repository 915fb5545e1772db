-- Whether no session has been writing the log for longer than a second: one
-- that nobody waits for any more may still commit. Of sessions of a role that is
-- not ours nothing is told but their locks. -> quiet bool. Binary.
SELECT NOT EXISTS (
	SELECT FROM pg_stat_activity
	WHERE state = 'active' AND query LIKE '%INTO ingest_log%'
	    AND pid <> pg_backend_pid()
	    AND query_start < clock_timestamp() - interval '1 second'
	UNION ALL
	SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
	WHERE a.query = '<insufficient privilege>'
	    AND l.relation = 'ingest_log'::regclass
	    AND l.mode = 'RowExclusiveLock'
) AS quiet
