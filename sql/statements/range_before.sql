-- Where to look for a series' last good reading before a time. $1 series,
-- $2 time (excluded)
-- -> bucket timestamptz: the newest hour that has good merged readings and
--    begins before $2; logged timestamptz: the newest good reading before $2
--    that the log holds. NULL: there is none. Binary.
SELECT greatest((
	SELECT bucket FROM rollups_fresh
	WHERE series = $1::int4 AND width_s = 3600
	    AND bucket < $2::timestamptz AND good > 0
	ORDER BY bucket DESC LIMIT 1
), (
	SELECT date_trunc('hour', bucket, 'UTC') FROM rollups_open
	WHERE series = $1 AND bucket < $2 AND good > 0
), (
	SELECT packed_rollups_good(data, $2) FROM rollups_packed
	WHERE series = $1 AND width_s = 3600 AND t0 < $2
	    AND packed_rollups_good(data, $2) IS NOT NULL
	ORDER BY t0 DESC LIMIT 1
)) AS bucket, (
	SELECT max(u.ts) FROM ingest_log l,
	    unnest(l.series, l.ts, l.quality) AS u(series, ts, quality)
	WHERE l.min_ts < $2 AND l.series && ARRAY[$1] AND u.series = $1
	    AND u.ts < $2 AND u.quality = 0
) AS logged
