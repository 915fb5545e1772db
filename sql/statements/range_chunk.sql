-- Readings of one series from $2 on, as they are stored: packed rows of
-- segments, then what the log holds, with the end of what is whole. $1 series,
-- $2 from, $3 to (excluded), $4 about how many readings
-- -> kind (0: until, NULL if some of it is archived; 1: data; 2: a reading of the log, first of its time),
--    until, data, ts, value, quality, received_at. Binary.
-- A row of segments never leaves its UTC month, and rows may overlap: those
-- that begin at or before $2 are all taken, of the ones after it as many as
-- hold about $4 readings; whole is then what lies before the first one left.
-- A row of the log mostly has a few readings of the series among a thousand:
-- those are picked by place, 8 times as fast as unpacking the row; where they
-- are many, the row is unpacked, as each pick decompresses it again.
WITH class AS MATERIALIZED (
	SELECT coalesce((SELECT m.class FROM series s
	    JOIN metrics m ON m.id = s.metric_id WHERE s.id = $1::int4),
	    1::int2) AS class
), begun AS MATERIALIZED (
	SELECT g.t0, g.data FROM segments g
	WHERE g.series = $1 AND g.class = (SELECT class FROM class)
	    AND g.t0 >= date_trunc('month', $2::timestamptz, 'UTC')
	    AND g.t0 <= $2 AND g.t1 >= $2
), ahead AS MATERIALIZED (
	SELECT t0, data, sum(n) OVER w AS before, row_number() OVER w AS place
	FROM (
		SELECT g.t0, g.n, g.data FROM segments g
		WHERE g.series = $1 AND g.class = (SELECT class FROM class)
		    AND g.t0 > $2 AND g.t0 < $3::timestamptz
		ORDER BY g.t0 LIMIT 501
	) g
	WINDOW w AS (ORDER BY t0 ROWS BETWEEN UNBOUNDED PRECEDING
	    AND 1 PRECEDING)
), span AS MATERIALIZED (
	SELECT coalesce(min(t0), $3) AS until FROM ahead
	WHERE before >= $4::int4 OR place > 500
), held AS (
	SELECT l.*, array_positions(l.series, $1) AS at
	FROM ingest_log l
	WHERE l.max_ts >= $2 AND l.min_ts < (SELECT until FROM span)
	OFFSET 0
), logged AS (
	SELECT DISTINCT ON (u.ts) u.ts, u.value, u.quality, h.received_at
	FROM span, held h CROSS JOIN LATERAL (
		SELECT pos, h.ts[pos] AS ts, h.value[pos] AS value,
		    h.quality[pos] AS quality
		FROM unnest(h.at) AS pos WHERE cardinality(h.at) <= 8
		UNION ALL
		SELECT a.pos, a.ts, a.value, a.quality
		FROM unnest(h.series, h.ts, h.value, h.quality)
		    WITH ORDINALITY AS a(series, ts, value, quality, pos)
		WHERE cardinality(h.at) > 8 AND a.series = $1
	) u
	WHERE u.ts >= $2 AND u.ts < span.until
	ORDER BY u.ts, h.id, u.pos LIMIT $4::int4 + 1
)
SELECT 0::int2 AS kind, CASE WHEN NOT EXISTS (SELECT FROM archives a
    WHERE a.class = (SELECT class FROM class) AND a.from_ts < span.until
        AND a.to_ts > $2 AND a.state IN ('dropped', 'restoring'))
    THEN until END AS until, NULL::bytea AS data, NULL::timestamptz AS ts,
    NULL::float8 AS value, NULL::int2 AS quality,
    NULL::timestamptz AS received_at
FROM span
UNION ALL
SELECT 1::int2, NULL, data, t0, NULL, NULL, NULL FROM begun
UNION ALL
SELECT 1::int2, NULL, a.data, a.t0, NULL, NULL, NULL FROM ahead a, span s
WHERE a.t0 < s.until
UNION ALL
SELECT 2::int2, NULL, NULL, ts, value, quality, received_at FROM logged
ORDER BY kind, ts
