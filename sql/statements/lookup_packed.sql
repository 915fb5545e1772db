-- Segments that may hold readings asked for. $1 int4[] series, $2, $3
-- timestamptz[] first and last time, side by side, each pair within one UTC
-- month; $4 int8 about how many readings to give at most
-- -> ord int4 (from 1), t0, packed readings, int8 how many rows of this ord
-- and int8 how many in all there would be without $4. In the order of ord and
-- t0; rows that begin before the very first time are given whatever $4 says.
SELECT g.ord, g.t0, g.data, g.of_ord, g.total
FROM (
	SELECT s.ord, s.t0, s.data, s.first,
	    count(*) OVER (PARTITION BY s.ord) AS of_ord,
	    count(*) OVER () AS total,
	    sum(CASE WHEN s.first THEN 0 ELSE s.n END)
	    OVER (ORDER BY s.ord, s.t0) - s.n AS before
	FROM (
		SELECT q.ord[s.ord] AS ord, s.t0, s.n, s.data,
		    q.ord[s.ord] = 1 AND s.t0 <= q.lo[s.ord] AS first
		FROM (
			SELECT class, month, array_agg(ord ORDER BY ord) AS ord,
			    array_agg(series ORDER BY ord) AS series,
			    array_agg(lo ORDER BY ord) AS lo,
			    array_agg(hi ORDER BY ord) AS hi
			FROM (
				SELECT u.ord::int4 AS ord, u.series, u.lo, u.hi,
				    date_trunc('month', u.lo, 'UTC') AS month,
				    coalesce((SELECT m.class FROM series r
				        JOIN metrics m ON m.id = r.metric_id
				        WHERE r.id = u.series), 1::int2) AS class
				FROM unnest($1::int4[], $2::timestamptz[],
				    $3::timestamptz[]) WITH ORDINALITY
				    AS u(series, lo, hi, ord)
			) c
			GROUP BY class, month
		) q CROSS JOIN LATERAL
		    segments_near(q.class, q.month, q.series, q.lo, q.hi) s
	) s
) g
WHERE g.before < $4::int8 OR g.first
ORDER BY g.ord, g.t0
