-- How forecasts came, instead of what was said of the same days before. Side by
-- side $1 int8[] model, $2 timestamptz[] day, $3 int4[] days ahead, $4 int4[]
-- hours, $5 float8[] error, $6 float8[] naive_error, $7 int4[] inside
WITH gone AS (
	DELETE FROM model_scores WHERE model_id = ANY ($1::int8[])
	    AND day < (now() AT TIME ZONE 'UTC')::date - 400)
INSERT INTO model_scores (model_id, day, lead_days, hours, error, naive_error,
    inside)
SELECT u.model, (u.day AT TIME ZONE 'UTC')::date, u.lead, u.hours, u.error,
    u.naive, u.inside
FROM unnest($1, $2::timestamptz[], $3::int4[], $4::int4[], $5::float8[],
    $6::float8[], $7::int4[]) AS u(model, day, lead, hours, error, naive,
    inside)
ON CONFLICT (model_id, day, lead_days) DO UPDATE SET hours = excluded.hours,
    error = excluded.error, naive_error = excluded.naive_error,
    inside = excluded.inside
