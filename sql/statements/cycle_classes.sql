-- $1 int4[] series -> series int4, retention class int2
SELECT q.series, coalesce(m.class, 1::int2)
FROM unnest($1::int4[]) AS q(series)
LEFT JOIN series s ON s.id = q.series
LEFT JOIN metrics m ON m.id = s.metric_id
