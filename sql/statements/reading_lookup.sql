-- Which of these readings are stored already, and with what value; the first
-- one stored counts. $1 int4[] series, $2 timestamptz[] ts, side by side
-- -> ord int4 (from 1), value float8; no row for what is not stored.
--
-- A segment never leaves its UTC day, so (series, day of ts) finds it by key.
-- The planner cannot know how long the arrays are: LATERAL … OFFSET 0 keeps
-- it to the key, FULL JOIN to a hash or merge join, both at any length. Few
-- keys: log rows that hold none of them are passed over unopened.
WITH q AS MATERIALIZED (
	SELECT u.series, u.ts, u.ord::int4 AS ord
	FROM unnest($1::int4[], $2::timestamptz[])
	    WITH ORDINALITY AS u(series, ts, ord)
), span AS MATERIALIZED (
	SELECT series, date_trunc('day', ts, 'UTC') AS day, min(ts) AS lo,
	    max(ts) AS hi
	FROM q GROUP BY 1, 2
), found AS MATERIALIZED (
	SELECT q.ord, h.value, h.id, h.pos
	FROM q FULL JOIN (
		SELECT s.series, s.ts, s.value, 0::int8 AS id, 0 AS pos
		FROM (
			SELECT span.series, span.lo, span.hi,
			    unnest(g.ts) AS ts, unnest(g.value) AS value
			FROM span CROSS JOIN LATERAL (
				SELECT g.ts, g.value FROM segments g
				WHERE g.series = span.series
				    AND g.t0 >= span.day
				    AND g.t0 <= span.hi AND g.t1 >= span.lo
				OFFSET 0
			) g
		) s
		WHERE s.ts BETWEEN s.lo AND s.hi
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
