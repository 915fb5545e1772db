-- The newest forecast of a series. $1 node, $2 metric, $3 horizon
-- -> body json; no row if there is no such series
SELECT body FROM (SELECT prediction_json($1::text, coalesce($2::text, 'flow'),
    forecast_hours(coalesce($3::text, '168h'))) AS body) b
WHERE body IS NOT NULL
