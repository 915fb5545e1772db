-- Segments that may hold readings asked for. $1 int4[] series, $2, $3
-- timestamptz[] first and last time, side by side, each pair within one UTC
-- month; $4 int8 about how many readings to give at most
-- -> ord int4 (from 1), t0, packed readings, int8 how many rows of this ord
-- and int8 how many in all there would be without $4. In the order of ord and
-- t0; rows that begin before the very first time are given whatever $4 says.
--
-- The planner cannot know how long the arrays are: OFFSET 0 keeps it to one
-- range of the key each.
SELECT g.ord, g.t0, g.data, g.of_ord, g.total
FROM (
	SELECT q.ord, s.t0, s.data, q.ord = 1 AND s.t0 <= q.lo AS first,
	    count(*) OVER (PARTITION BY q.ord) AS of_ord,
	    count(*) OVER () AS total,
	    sum(CASE WHEN q.ord > 1 OR s.t0 > q.lo THEN s.n ELSE 0 END)
	    OVER (ORDER BY q.ord, s.t0) - s.n AS before
	FROM (
		SELECT u.ord::int4 AS ord, u.series, u.lo, u.hi, coalesce((
			SELECT m.class FROM series r
			JOIN metrics m ON m.id = r.metric_id
			WHERE r.id = u.series), 1::int2) AS class
		FROM unnest($1::int4[], $2::timestamptz[], $3::timestamptz[])
		    WITH ORDINALITY AS u(series, lo, hi, ord)
		OFFSET 0
	) q CROSS JOIN LATERAL (
		SELECT s.t0, s.n, s.data FROM segments s
		WHERE s.series = q.series AND s.class = q.class
		    AND s.t0 >= date_trunc('month', q.lo, 'UTC')
		    AND s.t0 <= q.hi AND s.t1 >= q.lo
		OFFSET 0
	) s
) g
WHERE g.before < $4::int8 OR g.first
ORDER BY g.ord, g.t0
