-- Whether no session has been writing the log for longer than a second: one
-- that nobody waits for any more may still commit. -> quiet bool. Binary.
SELECT NOT EXISTS (
	SELECT FROM pg_stat_activity
	WHERE state = 'active' AND query LIKE '%INTO ingest_log%'
	    AND pid <> pg_backend_pid()
	    AND query_start < clock_timestamp() - interval '1 second'
) AS quiet
