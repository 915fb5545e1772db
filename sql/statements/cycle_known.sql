-- One row per asked series and UTC day: $1 int4[] series, $2 int2[] class,
-- $3 timestamptz[] first of the month, $4, $5 timestamptz[] first and last
-- time asked for.
-- -> ord int8 (from 1), packed readings of each segment that overlaps.
-- OFFSET 0 keeps one index range scan per row, whatever the planner thinks of
-- the arrays.
SELECT q.ord, g.data
FROM unnest($1::int4[], $2::int2[], $3::timestamptz[], $4::timestamptz[],
    $5::timestamptz[]) WITH ORDINALITY
    AS q(series, class, month, lo, hi, ord),
LATERAL (SELECT s.data FROM segments s WHERE s.series = q.series
    AND s.class = q.class AND s.t0 >= q.month AND s.t0 <= q.hi
    AND s.t1 >= q.lo OFFSET 0) g
