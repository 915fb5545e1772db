-- Keeps a forecast, and those of 16 days before it. $1 int4 series, $2 int8
-- model, $3 timestamptz origin, $4 value float8[], $5 lower95 float8[], $6
-- upper95 float8[]
WITH gone AS (
	DELETE FROM predictions WHERE series_id = $1::int4
	    AND made_at < now() - interval '16 days'),
told AS (
	UPDATE forecast_states SET predicted_at = clock_timestamp()
	WHERE series_id = $1)
INSERT INTO predictions (series_id, model_id, origin, value, lower95, upper95)
VALUES ($1, $2::int8, $3::timestamptz, $4::float8[], $5::float8[], $6::float8[])
ON CONFLICT (series_id, model_id, origin) DO UPDATE SET
    made_at = clock_timestamp(), value = excluded.value,
    lower95 = excluded.lower95, upper95 = excluded.upper95
