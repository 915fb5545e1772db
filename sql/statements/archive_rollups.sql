-- Stored sums of a series whose buckets begin from $2 on and before $3, width
-- by width. $1 series int4. Binary. -> width_s, bucket, n, good, sum, min,
-- max, sumsq, first_ts, first, last_ts, last
SELECT width_s, bucket, n, good, sum, min, max, sumsq, first_ts, first,
    last_ts, last
FROM rollups
WHERE series = $1::int4 AND width_s = ANY ('{300,3600,86400}'::int4[])
    AND bucket >= $2::timestamptz AND bucket < $3::timestamptz
ORDER BY width_s, bucket
