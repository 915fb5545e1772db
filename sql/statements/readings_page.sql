-- Readings of one series in time order, log and segments as one; of two at
-- the same time the first stays. $1 series, $2 from, $3 to (excluded),
-- $4 limit, $5 after (excluded) or NULL -> items (JSON text), next (µs since
-- 1970 of the last one shown, NULL if it was the last of all).
-- A segment never leaves its UTC month, so months are opened only until those
-- before them, the first left out since it may be cut, hold enough.
WITH span AS (
	SELECT greatest($2::timestamptz,
	    $5::timestamptz + interval '1 microsecond') AS lo,
	    $3::timestamptz AS hi
), day AS (
	SELECT date_trunc('month', g.t0, 'UTC') AS day, sum(g.n) AS n
	FROM span, segments g
	WHERE g.series = $1::int4 AND g.t0 < span.hi
	    AND g.t0 >= date_trunc('month', span.lo, 'UTC') AND g.t1 >= span.lo
	GROUP BY 1
), open AS (
	SELECT max(day) + interval '1 month' AS before FROM (
		SELECT day, sum(n) OVER (ORDER BY day
		    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
		    - first_value(n) OVER (ORDER BY day) AS before
		FROM day
	) d WHERE coalesce(before, 0) <= $4::int
), merged AS (
	SELECT u.ts, u.value, u.quality, u.received_at
	FROM span, open, segments g,
	    packed_readings(g.data) AS u
	WHERE g.series = $1 AND g.t0 < least(span.hi, open.before)
	    AND g.t0 >= date_trunc('month', span.lo, 'UTC') AND g.t1 >= span.lo
	    AND u.ts >= span.lo AND u.ts < span.hi
), logged AS (
	SELECT DISTINCT ON (u.ts) u.ts, u.value, u.quality, l.received_at
	FROM span, ingest_log l, unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, pos)
	WHERE l.max_ts >= span.lo AND l.min_ts < span.hi
	    AND l.series && ARRAY[$1] AND u.series = $1
	    AND u.ts >= span.lo AND u.ts < span.hi
	ORDER BY u.ts, l.id, u.pos
), page AS (
	SELECT * FROM merged
	UNION ALL
	SELECT * FROM logged l WHERE NOT EXISTS (SELECT FROM segments g
	    WHERE g.series = $1 AND g.t0 >= date_trunc('month', l.ts, 'UTC')
	    AND g.t0 <= l.ts AND g.t1 >= l.ts AND l.ts IN (SELECT ts FROM packed_readings(g.data)))
	ORDER BY ts LIMIT $4::int + 1
), shown AS (
	SELECT * FROM page ORDER BY ts LIMIT $4::int
)
SELECT coalesce(json_agg(json_build_object('ts', rfc3339(ts),
    'value', value, 'quality',
    CASE quality WHEN 0 THEN 'good' ELSE 'suspect' END,
    'received_at', rfc3339(received_at)) ORDER BY ts), '[]')::text AS items,
    CASE WHEN (SELECT count(*) FROM page) > $4::int
    THEN (extract(epoch FROM max(ts)) * 1000000)::int8 END AS next
FROM shown
