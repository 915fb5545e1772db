-- $1 int4[] series, $2 timestamptz[]: the partitions of their classes and
-- months -> one row
SELECT count(segments_ensure(class, month))
FROM (SELECT DISTINCT m.class, date_trunc('month', u.t, 'UTC') AS month
    FROM unnest($1::int4[], $2::timestamptz[]) AS u(series, t)
    JOIN series s ON s.id = u.series
    JOIN metrics m ON m.id = s.metric_id) needed
