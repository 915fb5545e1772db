-- One row per asked series and UTC day: $1 int4[] series, $2 timestamptz[]
-- day, $3, $4 timestamptz[] first and last time asked for.
-- -> ord int8 (from 1), ts[] of each segment that overlaps. OFFSET 0 keeps
-- one index range scan per row, whatever the planner thinks of the arrays.
SELECT q.ord, g.ts
FROM unnest($1::int4[], $2::timestamptz[], $3::timestamptz[],
    $4::timestamptz[]) WITH ORDINALITY AS q(series, day, lo, hi, ord),
LATERAL (SELECT s.ts FROM segments s WHERE s.series = q.series
    AND s.t0 >= q.day AND s.t0 <= q.hi AND s.t1 >= q.lo OFFSET 0) g
