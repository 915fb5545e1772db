-- $1 rollups_fresh[]: of new readings only, so they add up. An array of rows is read
-- three times as fast as thirteen arrays side by side.
INSERT INTO rollups_fresh AS r (series, width_s, bucket, n, good, sum, min, max,
    sumsq, first_ts, first, last_ts, last)
SELECT * FROM unnest($1::rollups_fresh[])
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
