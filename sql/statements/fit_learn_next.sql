-- Series that were not tried since $1 timestamptz, who has waited longest first.
-- $2 int4 most -> series int4
SELECT v.id FROM forecast_series v
LEFT JOIN forecast_states f ON f.series_id = v.id
WHERE coalesce(f.tried_at, '-infinity') < $1::timestamptz
ORDER BY f.tried_at NULLS FIRST, v.id LIMIT $2::int4
