-- That a series is worked on, before it is. $1 int4 series, $2 int2 1: a model
-- is learnt, 0: its champion forecasts
INSERT INTO forecast_states AS f (series_id, tried_at, predicted_at)
VALUES ($1::int4, CASE $2::int2 WHEN 1 THEN clock_timestamp() END,
    CASE $2 WHEN 0 THEN clock_timestamp() END)
ON CONFLICT (series_id) DO UPDATE SET
    tried_at = coalesce(excluded.tried_at, f.tried_at),
    predicted_at = coalesce(excluded.predicted_at, f.predicted_at)
