-- Hours of some series, in parts that add up. $1 int4[] series, $2 from, $3 to
-- -> series int4, hour timestamptz, good int8, sum float8; or data bytea: a
--    month packed (domain/packed_rollup.h), which may reach beyond the bounds
SELECT series, bucket, good, sum, NULL::bytea AS data FROM rollups_fresh
WHERE series = ANY ($1::int4[]) AND width_s = 3600
    AND bucket >= $2::timestamptz AND bucket < $3::timestamptz
UNION ALL
SELECT series, date_trunc('hour', bucket, 'UTC'), good, sum, NULL
FROM rollups_open
WHERE series = ANY ($1) AND bucket >= $2 AND bucket < $3
UNION ALL
SELECT series, NULL, NULL, NULL, data FROM rollups_packed
WHERE series = ANY ($1) AND width_s = 3600 AND t0 >= rollups_span(3600, $2)
    AND t0 < $3
