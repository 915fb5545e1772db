-- Where to look for a series' last good reading before a time. $1 series,
-- $2 time (excluded)
-- -> bucket timestamptz: the newest hour that has good merged readings and
--    begins before $2; logged timestamptz: the newest good reading before $2
--    that the log holds. NULL: there is none. Binary.
-- Readings of the log are picked out by place (see range_chunk.sql).
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
	SELECT max(u.ts)
	FROM (
		SELECT l.series, l.ts, l.quality,
		    array_positions(l.series, $1) AS at
		FROM ingest_log l WHERE l.min_ts < $2
		OFFSET 0
	) h CROSS JOIN LATERAL (
		SELECT h.ts[pos] AS ts, h.quality[pos] AS quality
		FROM unnest(h.at) AS pos WHERE cardinality(h.at) <= 8
		UNION ALL
		SELECT a.ts, a.quality
		FROM unnest(h.series, h.ts, h.quality) AS a(series, ts, quality)
		WHERE cardinality(h.at) > 8 AND a.series = $1
	) u
	WHERE u.ts < $2 AND u.quality = 0
) AS logged
