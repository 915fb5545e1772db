-- Series whose champion is to forecast: not since $1 timestamptz, when the run
-- began (NULL: none is), or not since it reigns. $2 int4 most
-- -> series int4
SELECT v.id FROM forecast_series v
JOIN models m ON m.series_id = v.id AND m.state = 'champion'
LEFT JOIN forecast_states f ON f.series_id = v.id
WHERE coalesce(f.predicted_at, '-infinity')
    < greatest($1::timestamptz, m.crowned_at)
ORDER BY v.id LIMIT $2::int4
