-- As log_insert_split, of readings some of which are so old that their span
-- may be archived: refused (503) if it is. $1 timestamptz received_at,
-- $2 timestamptz min_ts, $3 timestamptz max_ts, $4 int4[] series,
-- $5 timestamptz[] ts, $6 float8[] value, $7 int2[] quality
INSERT INTO ingest_log (shard, received_at, min_ts, max_ts, series, ts, value,
    quality)
SELECT * FROM log_late($1, $2, $3, $4, $5, $6, $7)
