-- $1 int4 series id, $2 int8 most series, $3 timestamptz: of the next series
-- after that id, open 5 minutes of the days before that, which are over: they
-- go to rollups_fresh, as nothing newer may ever come that would turn them.
WITH ids AS (
	SELECT id FROM series WHERE id > $1::int4 ORDER BY id LIMIT $2::int8),
over AS (
	DELETE FROM rollups_open
	WHERE series > $1 AND series <= (SELECT max(id) FROM ids)
	    AND bucket < $3::timestamptz
	RETURNING *)
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
