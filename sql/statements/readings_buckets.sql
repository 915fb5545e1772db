-- Readings of some series by bucket of a time zone. $1 int4[] series, $2 from,
-- $3 to, $4 step (interval), $5 kind: 'span' (multiples of the step), 'hour',
-- 'quarter' (of the local day), 'day', 'week', 'month'; $6 IANA zone, $7 true:
-- bounds alone, false: sums too; $8 int4 width of the roll-ups, NULL: it is to
-- be found, and there are no sums if there may be too many to add up at once
-- -> series int4, ord int4, ts timestamptz, stamp text, n int8, good int8,
--    sum, min, max float8, data bytea. First, without a series, the bounds of the buckets
--    by ord from 1 on, one more than there are buckets, n: the width of the
--    roll-ups that are added up, NULL if none answers exactly (then there
--    are no sums), good: 1 if there are too many; then what each series has
--    in the bucket that begins at bound ord, min and max NULL if good is 0,
--    and, without ord, packed roll-ups (domain/packed_rollup.h) of spans that
--    overlap the bounds, to be added by the reader.
-- Roll-ups lie on UTC and answer exactly where every bound of a bucket is one
-- of theirs: the widest such width is taken. What the log still holds and no
-- segment has is added. n and good count all and good readings; the rest is
-- of the good ones, as in roll-ups. Segments are opened only where they may
-- have a reading that the log has too, and of the log few series' readings
-- are picked out by place (see range_chunk.sql).
WITH local AS (
	SELECT CASE $5::text
	    WHEN 'quarter' THEN date_bin($4::interval,
	        $2::timestamptz AT TIME ZONE $6::text, timestamp '2000-01-01')
	    WHEN 'span' THEN NULL
	    WHEN 'hour' THEN NULL
	    ELSE date_trunc($5, $2 AT TIME ZONE $6) END AS lo,
	    $3::timestamptz AT TIME ZONE $6 AS hi
), bound AS (
	SELECT b AT TIME ZONE $6 AS b FROM local,
	    generate_series(lo - $4, hi + $4, $4) AS b
	WHERE $5 NOT IN ('span', 'hour')
	UNION
	SELECT generate_series(CASE $5
	    WHEN 'span' THEN date_bin($4, $2, timestamptz '2000-01-01Z')
	    ELSE date_trunc('hour', $2, $6) END, $3 + $4, $4)
	WHERE $5 IN ('span', 'hour')
), edge AS MATERIALIZED (
	SELECT b, row_number() OVER (ORDER BY b)::int4 AS ord FROM bound
	WHERE b >= (SELECT max(b) FROM bound WHERE b <= $2)
	    AND b <= (SELECT min(b) FROM bound WHERE b >= $3)
), edges AS MATERIALIZED (
	SELECT array_agg(b ORDER BY b) AS all, min(b) AS lo, max(b) AS hi
	FROM edge
), fits AS MATERIALIZED (
	SELECT coalesce($8::int4, max(s)) AS s
	FROM unnest('{300,3600,86400}'::int4[]) AS s
	WHERE NOT EXISTS (SELECT FROM edge
	    WHERE extract(epoch FROM b)::int8 % s <> 0)
), width AS MATERIALIZED (
	SELECT w.s, $8 IS NULL AND cardinality($1::int4[]) * extract(epoch FROM
	    rollups_span(w.s, e.hi - interval '1 us') + CASE w.s
	    WHEN 300 THEN interval '1 day' WHEN 3600 THEN interval '1 month'
	    ELSE interval '1 year' END - rollups_span(w.s, e.lo)) / w.s > 75000
	    AS many
	FROM fits w, edges e
), want AS MATERIALIZED (
	SELECT u.series, coalesce(m.class, 1::int2) AS class
	FROM width w CROSS JOIN unnest($1::int4[]) AS u(series)
	    LEFT JOIN series s ON s.id = u.series
	    LEFT JOIN metrics m ON m.id = s.metric_id
	WHERE w.s IS NOT NULL AND NOT w.many AND NOT $7::boolean
), logged AS MATERIALIZED (
	SELECT DISTINCT ON (u.series, u.ts) u.series, u.class, u.ts, u.value,
	    u.quality
	FROM edges e, (
		SELECT h.wanted AS series, h.class, u.ts, u.value, u.quality,
		    h.id, u.pos
		FROM (
			SELECT l.*, q.series AS wanted, q.class,
			    array_positions(l.series, q.series) AS at
			FROM edges e, want q, ingest_log l
			WHERE cardinality($1) <= 8 AND l.series && $1
			    AND l.max_ts >= e.lo AND l.min_ts < e.hi
			OFFSET 0
		) h CROSS JOIN LATERAL (
			SELECT pos, h.ts[pos] AS ts, h.value[pos] AS value,
			    h.quality[pos] AS quality
			FROM unnest(h.at) AS pos WHERE cardinality(h.at) <= 8
			UNION ALL
			SELECT a.pos, a.ts, a.value, a.quality
			FROM unnest(h.series, h.ts, h.value, h.quality)
			    WITH ORDINALITY AS a(series, ts, value, quality,
			    pos)
			WHERE cardinality(h.at) > 8 AND a.series = h.wanted
		) u
		UNION ALL
		SELECT q.series, q.class, a.ts, a.value, a.quality, l.id,
		    a.pos
		FROM edges e, ingest_log l,
		    unnest(l.series, l.ts, l.value, l.quality)
		    WITH ORDINALITY AS a(series, ts, value, quality, pos),
		    want q
		WHERE cardinality($1) > 8 AND q.series = a.series
		    AND l.max_ts >= e.lo AND l.min_ts < e.hi
	) u
	WHERE u.ts >= e.lo AND u.ts < e.hi
	ORDER BY u.series, u.ts, u.id, u.pos
), known AS MATERIALIZED (
	SELECT m.series[g.ord] AS series, p.ts
	FROM (
		SELECT class, month, array_agg(series) AS series,
		    array_agg(lo) AS lo, array_agg(hi) AS hi
		FROM (
			SELECT series, class, min(ts) AS lo, max(ts) AS hi,
			    date_trunc('month', ts, 'UTC') AS month
			FROM logged
			GROUP BY 1, 2, 5, date_trunc('day', ts, 'UTC')
		) d
		GROUP BY class, month
	) m CROSS JOIN LATERAL
	    segments_near(m.class, m.month, m.series, m.lo, m.hi) g,
	packed_readings(g.data) AS p
), part AS (
	SELECT q.series, r.bucket AS ts, r.n, r.good, r.sum,
	    CASE WHEN r.good > 0 THEN r.min END AS min,
	    CASE WHEN r.good > 0 THEN r.max END AS max
	FROM edges e, width w, want q CROSS JOIN LATERAL (
		SELECT * FROM rollups_fresh r
		WHERE r.series = q.series AND r.width_s = w.s
		    AND r.bucket >= e.lo AND r.bucket < e.hi
		OFFSET 0
	) r
	UNION ALL
	SELECT o.series, o.bucket, o.n, o.good, o.sum,
	    CASE WHEN o.good > 0 THEN o.min END,
	    CASE WHEN o.good > 0 THEN o.max END
	FROM edges e, want q JOIN rollups_open o ON o.series = q.series
	WHERE o.bucket >= e.lo AND o.bucket < e.hi
	UNION ALL
	SELECT l.series, l.ts, 1, (l.quality = 0)::int,
	    CASE WHEN l.quality = 0 THEN l.value ELSE 0 END,
	    CASE WHEN l.quality = 0 THEN l.value END,
	    CASE WHEN l.quality = 0 THEN l.value END
	FROM logged l
	WHERE NOT EXISTS (SELECT FROM known k
	    WHERE k.series = l.series AND k.ts = l.ts)
)
SELECT NULL::int4 AS series, ord, b AS ts,
    to_char(b AT TIME ZONE $6, 'YYYY-MM-DD"T"HH24:MI:SS') ||
    CASE WHEN $6 = 'UTC' THEN 'Z'
    ELSE CASE WHEN d < interval '0' THEN '-' ELSE '+' END ||
    to_char(greatest(d, -d), 'HH24:MI') END AS stamp,
    w.s::int8 AS n, CASE WHEN w.many THEN 1::int8 END AS good,
    NULL::float8 AS sum, NULL::float8 AS min, NULL::float8 AS max,
    NULL::bytea AS data
FROM edge, width w,
    LATERAL (SELECT (b AT TIME ZONE $6) - (b AT TIME ZONE 'UTC') AS d) z
UNION ALL
SELECT p.series, width_bucket(p.ts, e.all), NULL, NULL, sum(p.n)::int8,
    sum(p.good)::int8, sum(p.sum), min(p.min), max(p.max), NULL
FROM part p, edges e GROUP BY 1, 2
UNION ALL
SELECT q.series, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, k.data
FROM edges e, width w, want q CROSS JOIN LATERAL (
	SELECT p.data FROM rollups_packed p
	WHERE p.series = q.series AND p.width_s = w.s
	    AND p.t0 >= rollups_span(w.s, e.lo) AND p.t0 < e.hi
	OFFSET 0
) k
ORDER BY series NULLS FIRST, ord
