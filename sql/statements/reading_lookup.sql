-- Which of these readings are stored already, and with what value; the first
-- one stored counts. $1 int4[] series, $2 timestamptz[] ts, side by side
-- -> ord int4 (from 1), value float8; no row for what is not stored.
-- A segment never leaves its UTC day, so (series, day of ts) finds it by key.
WITH q AS MATERIALIZED (
	SELECT u.series, u.ts, u.ord::int4 AS ord
	FROM unnest($1::int4[], $2::timestamptz[])
	    WITH ORDINALITY AS u(series, ts, ord)
), span AS MATERIALIZED (
	SELECT series, date_trunc('day', ts, 'UTC') AS day, min(ts) AS lo,
	    max(ts) AS hi
	FROM q GROUP BY 1, 2
), found AS (
	SELECT q.ord, u.value, 0::int8 AS id, 0::int8 AS pos
	FROM span
	JOIN segments g ON g.series = span.series AND g.t0 >= span.day
	    AND g.t0 <= span.hi AND g.t1 >= span.lo
	CROSS JOIN LATERAL unnest(g.ts, g.value) AS u(ts, value)
	JOIN q ON q.series = g.series AND q.ts = u.ts
	UNION ALL
	SELECT q.ord, u.value, l.id, u.pos
	FROM (SELECT min(ts) AS lo, max(ts) AS hi FROM q) e
	JOIN ingest_log l ON l.max_ts >= e.lo AND l.min_ts <= e.hi
	CROSS JOIN LATERAL unnest(l.series, l.ts, l.value)
	    WITH ORDINALITY AS u(series, ts, value, pos)
	JOIN q ON q.series = u.series AND q.ts = u.ts
)
SELECT DISTINCT ON (ord) ord, value FROM found ORDER BY ord, id, pos
