-- $1, $2 timestamptz first and last time of an import
-- -> the part of it that the log may hold, NULL if none
SELECT CASE WHEN count(*) > 0 THEN greatest(min(min_ts), $1::timestamptz) END,
    CASE WHEN count(*) > 0 THEN least(max(max_ts), $2::timestamptz) END
FROM ingest_log
WHERE max_ts >= $1::timestamptz AND min_ts <= $2::timestamptz
