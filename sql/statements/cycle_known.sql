-- One row per asked series and UTC day: $1 int4[] series, $2 int2[] class,
-- $3 timestamptz[] first of the month, $4, $5 timestamptz[] first and last
-- time asked for.
-- -> ord int8 (from 1), packed readings of each segment that overlaps.
SELECT m.ord[g.ord], g.data
FROM (
	SELECT class, month, array_agg(series ORDER BY ord) AS series,
	    array_agg(lo ORDER BY ord) AS lo, array_agg(hi ORDER BY ord) AS hi,
	    array_agg(ord ORDER BY ord) AS ord
	FROM unnest($1::int4[], $2::int2[], $3::timestamptz[],
	    $4::timestamptz[], $5::timestamptz[]) WITH ORDINALITY
	    AS q(series, class, month, lo, hi, ord)
	GROUP BY class, month
) m CROSS JOIN LATERAL segments_near(m.class, m.month, m.series, m.lo, m.hi) g
