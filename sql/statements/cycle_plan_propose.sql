-- $1 int8 anomaly, $2 int4 template, $3 text state, $4 timestamptz
-- proposed_at, $5 expires_at, $6 int4 effect series or NULL, $7 text effect
-- direction, $8 float8 effect_least, $9 float8 effect_window_s, $10 jsonb
-- reasons, $11 int8 knowledge_version, $12 text risk of what was known ->
-- id int8. The template may have changed since: the higher risk counts.
INSERT INTO plans (anomaly_id, template_id, state, proposed_at, expires_at,
    effect_series_id, effect_direction, effect_least, effect_window_s,
    command_life_s, reasons, knowledge_version, risk, approval_life_s, authors)
SELECT $1::int8, t.id, $3::text, $4::timestamptz, $5::timestamptz,
    $6::int4, $7::text, $8::float8, $9::float8, t.command_life_s, $10::jsonb,
    $11::int8, CASE WHEN 'high' IN (t.risk, $12::text) THEN 'high'
	WHEN 'medium' IN (t.risk, $12::text) THEN 'medium' ELSE 'low' END,
    t.approval_life_s,
    array_remove(ARRAY[t.changed_by], NULL)
FROM plan_templates t WHERE t.id = $2::int4
RETURNING id
