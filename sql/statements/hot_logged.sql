-- Log rows that may hold readings since a time, in the order in which the
-- first of two at one time counts. $1 timestamptz since
-- -> received_at, series int4[], ts timestamptz[], value float8[],
--    quality int2[]. Binary.
SELECT received_at, series, ts, value, quality FROM ingest_log
WHERE max_ts >= $1::timestamptz ORDER BY id
