-- Forecasts of a series, the newest first. $1 int4 series, $2 timestamptz made
-- since, $3 int4 most -> model int8, origin timestamptz, value float8[],
-- lower95 float8[], upper95 float8[]
SELECT model_id, origin, value, lower95, upper95 FROM predictions
WHERE series_id = $1::int4 AND made_at >= $2::timestamptz
ORDER BY made_at DESC LIMIT $3::int4
