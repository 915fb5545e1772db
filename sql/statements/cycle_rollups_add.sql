-- $1 int4[] series, $2 int4[] width_s, $3 timestamptz[] bucket, $4 int8[] n,
-- $5 int8[] good, $6 float8[] sum, $7 min, $8 max, $9 sumsq,
-- $10 timestamptz[] first_ts, $11 float8[] first, $12 timestamptz[] last_ts,
-- $13 float8[] last: new readings only, so they add up
INSERT INTO rollups AS r (series, width_s, bucket, n, good, sum, min, max,
    sumsq, first_ts, first, last_ts, last)
SELECT * FROM unnest($1::int4[], $2::int4[], $3::timestamptz[], $4::int8[],
    $5::int8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
    $10::timestamptz[], $11::float8[], $12::timestamptz[], $13::float8[])
ON CONFLICT (series, width_s, bucket) DO UPDATE SET
    n = r.n + excluded.n,
    good = r.good + excluded.good,
    sum = r.sum + excluded.sum,
    min = least(r.min, excluded.min),
    max = greatest(r.max, excluded.max),
    sumsq = r.sumsq + excluded.sumsq,
    first_ts = least(r.first_ts, excluded.first_ts),
    first = CASE WHEN excluded.first_ts < r.first_ts THEN excluded.first
	ELSE r.first END,
    last_ts = greatest(r.last_ts, excluded.last_ts),
    last = CASE WHEN excluded.last_ts > r.last_ts THEN excluded.last
	ELSE r.last END
