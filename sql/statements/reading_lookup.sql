-- Which of these readings are stored already, and with what value; the first
-- one stored counts. $1 int4[] series, $2 timestamptz[] ts, side by side
-- -> ord int4 (from 1), value float8; no row for what is not stored.
--
-- A segment never leaves its UTC month, so (series, class, month of ts) finds
-- it by key; packed readings are opened only where a segment spans the times
-- asked for on one day.
-- The planner cannot know how long the arrays are: LATERAL … OFFSET 0 keeps
-- it to the key, FULL JOIN to a hash or merge join, both at any length. Few
-- keys: log rows that hold none of them are passed over unopened.
WITH q AS MATERIALIZED (
	SELECT u.series, u.ts, u.ord::int4 AS ord
	FROM unnest($1::int4[], $2::timestamptz[])
	    WITH ORDINALITY AS u(series, ts, ord)
), span AS MATERIALIZED (
	SELECT d.series, coalesce(m.class, 1::int2) AS class,
	    date_trunc('month', d.lo, 'UTC') AS month, d.lo, d.hi
	FROM (
		SELECT series, min(ts) AS lo, max(ts) AS hi
		FROM q GROUP BY series, date_trunc('day', ts, 'UTC')
	) d
	LEFT JOIN series s ON s.id = d.series
	LEFT JOIN metrics m ON m.id = s.metric_id
), found AS MATERIALIZED (
	SELECT q.ord, h.value, h.id, h.pos
	FROM q FULL JOIN (
		SELECT span.series, p.ts, p.value, 0::int8 AS id, 0 AS pos
		FROM span CROSS JOIN LATERAL (
			SELECT g.data FROM segments g
			WHERE g.series = span.series AND g.class = span.class
			    AND g.t0 >= span.month
			    AND g.t0 <= span.hi AND g.t1 >= span.lo
			OFFSET 0
		) g CROSS JOIN LATERAL packed_readings(g.data) p
		WHERE p.ts BETWEEN span.lo AND span.hi
		UNION ALL
		SELECT l.series, l.ts, l.value, l.id, l.pos
		FROM (
			SELECT l.id, e.lo, e.hi, unnest(l.series) AS series,
			    unnest(l.ts) AS ts, unnest(l.value) AS value,
			    generate_subscripts(l.ts, 1) AS pos
			FROM (SELECT min(ts) AS lo, max(ts) AS hi FROM q) e
			CROSS JOIN LATERAL (
				SELECT * FROM ingest_log g
				WHERE g.max_ts >= e.lo AND g.min_ts <= e.hi
				    AND CASE WHEN cardinality($1::int4[]) <= 8
				    THEN g.series && $1::int4[]
				        AND g.ts && $2::timestamptz[]
				    ELSE true END
				OFFSET 0
			) l
		) l
		WHERE l.ts BETWEEN l.lo AND l.hi
	) h ON h.series = q.series AND h.ts = q.ts
)
SELECT DISTINCT ON (ord) ord, value FROM found
WHERE ord IS NOT NULL AND id IS NOT NULL
ORDER BY ord, id, pos
