-- Rows of segments of one class and UTC month that may hold readings asked for:
-- of each of these series those that overlap [lo, hi], all of it in that month;
-- ord counts from 1. The planner sees class and month as they are, and so one
-- partition: a statement that finds them by joining sets up every one there
-- is. Few of many rows: never by reading them all.
CREATE FUNCTION segments_near(wanted int2, month timestamptz, series int4[],
    lo timestamptz[], hi timestamptz[])
RETURNS TABLE (ord int8, t0 timestamptz, n int4, data bytea)
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
	until timestamptz := date_trunc('month', month + interval '32 days',
	    'UTC');
BEGIN
	RETURN QUERY SELECT q.ord, s.t0, s.n, s.data
	FROM unnest($3, $4, $5) WITH ORDINALITY AS q(series, lo, hi, ord)
	JOIN segments s ON s.series = q.series AND s.t0 <= q.hi AND s.t1 >= q.lo
	WHERE s.class = wanted AND s.t0 >= month AND s.t0 < until;
END $$;
