-- Readings of one series by bucket of a time zone. $1 series, $2 from, $3 to,
-- $4 step (interval), $5 kind: 'span' (multiples of the step), 'hour',
-- 'quarter' (of the local day), 'day', 'week', 'month'; $6 IANA zone,
-- $7 text[] of count, avg, min, max, sum
-- -> items (JSON text), from, to (the buckets' own bounds), rollup_s: the
-- width of the roll-ups that were added up, NULL for readings themselves.
-- Roll-ups lie on UTC and answer exactly where every bound of a bucket is one
-- of theirs: the widest such width is taken. What the log still holds and no
-- segment has is added. count and good count all and good readings; the
-- rest is of the good ones, as in roll-ups.
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
	SELECT b FROM bound
	WHERE b >= (SELECT max(b) FROM bound WHERE b <= $2)
	    AND b <= (SELECT min(b) FROM bound WHERE b >= $3)
), edges AS MATERIALIZED (
	SELECT array_agg(b ORDER BY b) AS all, min(b) AS lo, max(b) AS hi
	FROM edge
), width AS MATERIALIZED (
	SELECT max(s) AS s FROM unnest('{300,3600,86400}'::int4[]) AS s
	WHERE NOT EXISTS (SELECT FROM edge
	    WHERE extract(epoch FROM b)::int8 % s <> 0)
), part AS (
	SELECT r.bucket AS ts, r.n, r.good, r.sum,
	    CASE WHEN r.good > 0 THEN r.min END AS min,
	    CASE WHEN r.good > 0 THEN r.max END AS max
	FROM edges e, width w, rollups r
	WHERE r.series = $1::int4 AND r.width_s = w.s
	    AND r.bucket >= e.lo AND r.bucket < e.hi
	UNION ALL
	SELECT u.ts, 1, (u.quality = 0)::int,
	    CASE WHEN u.quality = 0 THEN u.value ELSE 0 END,
	    CASE WHEN u.quality = 0 THEN u.value END,
	    CASE WHEN u.quality = 0 THEN u.value END
	FROM edges e, width w, segments g,
	    packed_readings(g.data) AS u
	WHERE w.s IS NULL AND g.series = $1
	    AND g.t0 >= date_trunc('month', e.lo, 'UTC') AND g.t0 < e.hi
	    AND u.ts >= e.lo AND u.ts < e.hi
	UNION ALL
	SELECT l.ts, 1, (l.quality = 0)::int,
	    CASE WHEN l.quality = 0 THEN l.value ELSE 0 END,
	    CASE WHEN l.quality = 0 THEN l.value END,
	    CASE WHEN l.quality = 0 THEN l.value END
	FROM (
		SELECT DISTINCT ON (u.ts) u.ts, u.value, u.quality
		FROM edges e, ingest_log l,
		    unnest(l.series, l.ts, l.value, l.quality)
		    WITH ORDINALITY AS u(series, ts, value, quality, pos)
		WHERE l.max_ts >= e.lo AND l.min_ts < e.hi
		    AND l.series && ARRAY[$1] AND u.series = $1
		    AND u.ts >= e.lo AND u.ts < e.hi
		ORDER BY u.ts, l.id, u.pos
	) l
	WHERE NOT EXISTS (SELECT FROM segments g WHERE g.series = $1
	    AND g.t0 >= date_trunc('month', l.ts, 'UTC') AND g.t0 <= l.ts
	    AND g.t1 >= l.ts AND l.ts IN (SELECT ts FROM packed_readings(g.data)))
), bucket AS (
	SELECT e.all[width_bucket(p.ts, e.all)] AS b, sum(p.n) AS n,
	    sum(p.good) AS good, sum(p.sum) AS sum, min(p.min) AS min,
	    max(p.max) AS max
	FROM part p, edges e GROUP BY 1
), shown AS (
	SELECT b, stamp, (
		SELECT json_object_agg(k, v ORDER BY o) FROM (VALUES
		    (0, 'ts', to_json(stamp)),
		    (1, 'count', to_json(n)),
		    (2, 'good', to_json(good)),
		    (3, 'avg', to_json(sum / nullif(good, 0))),
		    (4, 'min', to_json(min)), (5, 'max', to_json(max)),
		    (6, 'sum', to_json(CASE WHEN good > 0 THEN sum END)))
		    AS m(o, k, v)
		WHERE k IN ('ts', 'good') OR k = ANY ($7::text[])
	) AS item
	FROM bucket, LATERAL (
		SELECT to_char(b AT TIME ZONE $6, 'YYYY-MM-DD"T"HH24:MI:SS') ||
		    CASE WHEN $6 = 'UTC' THEN 'Z'
		    ELSE CASE WHEN d < interval '0' THEN '-' ELSE '+' END ||
		    to_char(greatest(d, -d), 'HH24:MI') END AS stamp
		FROM (SELECT (b AT TIME ZONE $6) - (b AT TIME ZONE 'UTC') AS d) z
	) s
)
SELECT coalesce(json_agg(item ORDER BY b) FILTER (WHERE b IS NOT NULL),
    '[]')::text AS items,
    rfc3339(e.lo) AS from, rfc3339(e.hi) AS to, w.s AS rollup_s
FROM edges e CROSS JOIN width w LEFT JOIN shown ON true
GROUP BY e.lo, e.hi, w.s
