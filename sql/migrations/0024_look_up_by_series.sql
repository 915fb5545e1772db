-- As before, but by the key, series by series: of a month without statistics
-- the planner read every row and held it against all that was asked for. The
-- outer join leaves it no other order.
CREATE OR REPLACE FUNCTION segments_near(wanted int2, month timestamptz,
    series int4[], lo timestamptz[], hi timestamptz[])
RETURNS TABLE (ord int8, t0 timestamptz, n int4, data bytea)
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
	until timestamptz := date_trunc('month', month + interval '32 days',
	    'UTC');
BEGIN
	RETURN QUERY SELECT q.ord, s.t0, s.n, s.data
	FROM unnest($3, $4, $5) WITH ORDINALITY AS q(series, lo, hi, ord)
	LEFT JOIN segments s ON s.series = q.series AND s.t0 <= q.hi
	    AND s.t1 >= q.lo AND s.class = wanted AND s.t0 >= month
	    AND s.t0 < until
	WHERE coalesce(s.n, 0) > 0;
END $$;
