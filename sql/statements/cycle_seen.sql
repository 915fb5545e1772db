-- Newest times of the series that anybody stored readings of lately.
-- $1 float8 s -> series int4, ts timestamptz
SELECT series, max(ts)
FROM (
	SELECT series, ts FROM series_latest
	WHERE received_at > now() - $1::float8 * interval '1 second'
	UNION ALL
	SELECT u.series, u.ts
	FROM ingest_log l, unnest(l.series, l.ts) AS u(series, ts)
	WHERE l.received_at > now() - $1::float8 * interval '1 second'
) newest
GROUP BY series
