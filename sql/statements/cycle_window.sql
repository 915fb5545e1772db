-- $1 int4 series, $2 timestamptz from, $3 timestamptz to: good readings with
-- from <= ts < to. A segment never leaves its UTC day.
-- -> count int8, mean, min, max, first, last float8 (NULL if count is 0)
SELECT count(*), avg(u.value), min(u.value), max(u.value),
    (array_agg(u.value ORDER BY u.ts))[1],
    (array_agg(u.value ORDER BY u.ts DESC))[1]
FROM segments g, unnest(g.ts, g.value, g.quality) AS u(ts, value, quality)
WHERE g.series = $1::int4 AND g.t0 > $2::timestamptz - interval '24 hours'
    AND g.t0 < $3::timestamptz AND g.t1 >= $2::timestamptz
    AND u.ts >= $2::timestamptz AND u.ts < $3::timestamptz AND u.quality = 0
