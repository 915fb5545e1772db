-- Plans that are not final. $1 text state, $2 int8 most -> id, anomaly_id int8, template_id int4,
-- state text, proposed_at, expires_at, decided_at, executed_at timestamptz,
-- effect series int4, effect direction text, effect_least, effect_window_s
-- float8, reasons text, knowledge_version int8
SELECT id, anomaly_id, template_id, state, proposed_at, expires_at,
    decided_at, executed_at, coalesce(effect_series_id, 0), effect_direction,
    effect_least, effect_window_s, reasons::text, knowledge_version
FROM plans WHERE state = $1::text AND closed_at IS NULL ORDER BY id LIMIT $2::int8
