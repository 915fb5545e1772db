-- $1 int8 id, $2 text reason: moves one log row out of the loop's way
WITH gone AS (DELETE FROM ingest_log WHERE id = $1::int8 RETURNING *)
INSERT INTO ingest_log_aside
    (id, received_at, min_ts, max_ts, series, ts, value, quality, reason)
SELECT id, received_at, min_ts, max_ts, series, ts, value, quality, $2::text
FROM gone
