-- Stored sums of a series on the UTC day from $2 to $3. $1 series int4.
-- Binary. -> width_s, packed bytea of a span that holds the day, or NULL and a
-- row that is not packed: bucket, n, good, sum, min, max, sumsq, first_ts, first, last_ts,
-- last
SELECT width_s, NULL::bytea AS data, bucket, n, good, sum, min, max, sumsq,
    first_ts, first, last_ts, last
FROM rollups_fresh
WHERE series = $1::int4 AND width_s = ANY ('{300,3600,86400}'::int4[])
    AND bucket >= $2::timestamptz AND bucket < $3::timestamptz
UNION ALL
SELECT width_s, NULL, bucket, n, good, sum, min, max, sumsq, first_ts, first,
    last_ts, last
FROM rollups_open_wide
WHERE series = $1 AND bucket >= $2 AND bucket < $3
UNION ALL
SELECT width_s, data, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL
FROM rollups_packed
WHERE series = $1 AND (width_s, t0) IN ((300, $2),
    (3600, date_trunc('month', $2, 'UTC')),
    (86400, date_trunc('year', $2, 'UTC')))
