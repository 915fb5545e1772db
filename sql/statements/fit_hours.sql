-- What is rolled up by hours. $1 int4 series, $2 timestamptz from, $3
-- timestamptz to -> packed bytea of months that reach into it, or NULL and
-- bucket timestamptz, good int8, sum float8; parts of a bucket add up
SELECT data, NULL::timestamptz, NULL::int8, NULL::float8
FROM rollups_packed WHERE series = $1::int4 AND width_s = 3600
    AND t0 >= rollups_span(3600, $2::timestamptz) AND t0 < $3::timestamptz
UNION ALL
SELECT NULL, bucket, good, sum FROM rollups_fresh
WHERE series = $1 AND width_s = 3600 AND bucket >= $2 AND bucket < $3
UNION ALL
SELECT NULL, bucket, good, sum FROM rollups_open_wide
WHERE series = $1 AND width_s = 3600 AND bucket >= $2 AND bucket < $3
