-- $1 int8 id, $2 text outcome, $3 jsonb reasons
UPDATE anomalies SET planning = $2::text, planning_reasons = $3::jsonb
WHERE id = $1::int8
