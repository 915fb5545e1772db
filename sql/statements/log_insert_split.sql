-- As log_insert, where the log has several shards: one row for each of those
-- that the readings are of. $1 timestamptz received_at, $2 timestamptz min_ts,
-- $3 timestamptz max_ts, $4 int4[] series, $5 timestamptz[] ts,
-- $6 float8[] value, $7 int2[] quality
INSERT INTO ingest_log (shard, received_at, min_ts, max_ts, series, ts, value,
    quality)
SELECT * FROM log_split($1, $2, $3, $4, $5, $6, $7)
