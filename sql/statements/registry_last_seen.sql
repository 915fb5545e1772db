-- Newest stored time of every series, merged or still in the log.
-- -> series, microseconds since 1970
SELECT series, (extract(epoch FROM max(ts)) * 1000000)::bigint
FROM (
	SELECT series, ts FROM series_latest
	UNION ALL
	SELECT u.series, u.ts
	FROM ingest_log l, unnest(l.series, l.ts) AS u(series, ts)
) newest
GROUP BY series
