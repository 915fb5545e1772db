-- $1 rollups_open[], of which cycle_open_add has added those of the 5 minutes
-- that are open: newer ones are open from now on, and what was open goes to
-- rollups_fresh, as older ones do.
WITH e AS MATERIALIZED (
	SELECT u.*, o.bucket AS open, o AS was
	FROM unnest($1::rollups_open[]) AS u
	LEFT JOIN rollups_open o ON o.series = u.series
	WHERE o.bucket IS DISTINCT FROM u.bucket
), turned AS (
	UPDATE rollups_open r SET bucket = e.bucket, n = e.n, good = e.good,
	    sum = e.sum, min = e.min, max = e.max, sumsq = e.sumsq,
	    first_ts = e.first_ts, first = e.first, last_ts = e.last_ts,
	    last = e.last
	FROM e WHERE r.series = e.series AND e.open < e.bucket
	RETURNING (e.was).*
), born AS (
	INSERT INTO rollups_open
	SELECT series, bucket, n, good, sum, min, max, sumsq, first_ts, first,
	    last_ts, last
	FROM e WHERE open IS NULL
), over AS (
	SELECT * FROM turned
	UNION ALL
	SELECT series, bucket, n, good, sum, min, max, sumsq, first_ts, first,
	    last_ts, last
	FROM e WHERE open > bucket
)
INSERT INTO rollups_fresh AS r (series, width_s, bucket, n, good, sum, min, max,
    sumsq, first_ts, first, last_ts, last)
SELECT o.series, w, date_bin(w * interval '1 second', o.bucket,
    timestamptz '1970-01-01 00:00:00+00'), o.n, o.good, o.sum, o.min, o.max,
    o.sumsq, o.first_ts, o.first, o.last_ts, o.last
FROM over o CROSS JOIN unnest('{300,3600,86400}'::int4[]) AS w
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
