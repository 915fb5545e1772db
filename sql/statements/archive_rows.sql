-- A day's rows of a partition, by series and time. $1 class int4, $2 and $3
-- the partition's span, $4 and $5 the day's, end excluded. Binary.
-- -> series int4, node, metric, unit, data
SELECT g.series, n.code, m.code, m.unit, g.data
FROM segments g
JOIN series s ON s.id = g.series
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id
WHERE g.class = $1::int4::int2 AND g.t0 >= $2::timestamptz
    AND g.t0 < $3::timestamptz
    AND g.t0 < $5::timestamptz AND g.t1 >= $4::timestamptz
ORDER BY g.series, g.t0
