-- $1 int4[] series, $2 timestamptz[]: the classes and months of them
-- -> class int2, month timestamptz, each pair once
SELECT DISTINCT m.class, date_trunc('month', u.t, 'UTC')
FROM unnest($1::int4[], $2::timestamptz[]) AS u(series, t)
JOIN series s ON s.id = u.series
JOIN metrics m ON m.id = s.metric_id
