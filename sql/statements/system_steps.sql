-- Roll-ups of some series, in parts that add up. $1 int4[] series, $2
-- timestamptz from, $3 to, $4 int4 width in s -> series int4, bucket
-- timestamptz, n, good int8, sum float8, last_ts timestamptz, last float8; or
-- data bytea: packed (domain/packed_rollup.h), may reach beyond the bounds
SELECT series, bucket, n, good, sum, last_ts, last, NULL::bytea AS data
FROM rollups_fresh
WHERE series = ANY ($1::int4[]) AND width_s = $4::int4
    AND bucket >= $2::timestamptz AND bucket < $3::timestamptz
UNION ALL
SELECT series, date_bin($4 * interval '1 s', bucket,
    timestamptz '1970-01-01 00:00:00+00'), n, good, sum, last_ts, last, NULL
FROM rollups_open
WHERE series = ANY ($1) AND bucket >= $2 AND bucket < $3
UNION ALL
SELECT series, NULL, NULL, NULL, NULL, NULL, NULL, data FROM rollups_packed
WHERE series = ANY ($1) AND width_s = $4 AND t0 >= rollups_span($4, $2)
    AND t0 < $3
