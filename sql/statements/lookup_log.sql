-- Which of these readings the log holds, and with what value; the first one
-- logged counts. $1 int4[] series, $2 timestamptz[] ts, side by side
-- -> ord int4 (from 1), value float8; no row for what is not there.
--
-- The planner cannot know how long the arrays are: OFFSET 0 keeps log rows
-- unopened that hold none of these times, or, of few keys, none of the keys.
WITH q AS MATERIALIZED (
	SELECT u.series, u.ts, u.ord::int4 AS ord
	FROM unnest($1::int4[], $2::timestamptz[])
	    WITH ORDINALITY AS u(series, ts, ord)
)
SELECT DISTINCT ON (q.ord) q.ord, l.value
FROM q JOIN (
	SELECT l.id, e.lo, e.hi, unnest(l.series) AS series,
	    unnest(l.ts) AS ts, unnest(l.value) AS value,
	    generate_subscripts(l.ts, 1) AS pos
	FROM (SELECT min(ts) AS lo, max(ts) AS hi FROM q) e
	CROSS JOIN LATERAL (
		SELECT * FROM ingest_log g
		WHERE g.max_ts >= e.lo AND g.min_ts <= e.hi
		    AND CASE WHEN cardinality($1::int4[]) <= 8
		    THEN g.series && $1::int4[] AND g.ts && $2::timestamptz[]
		    ELSE true END
		OFFSET 0
	) l
) l ON l.series = q.series AND l.ts = q.ts
WHERE l.ts BETWEEN l.lo AND l.hi
ORDER BY q.ord, l.id, l.pos
