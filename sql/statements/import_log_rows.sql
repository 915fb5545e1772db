-- $1, $2 timestamptz first and last time of an import
-- -> id, first and last time of the rows of the log that may hold some of it
SELECT id, min_ts, max_ts FROM ingest_log
WHERE max_ts >= $1::timestamptz AND min_ts <= $2::timestamptz
ORDER BY id
