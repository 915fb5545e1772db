-- $1 int8 most -> id int8, series int4, type, direction, severity, rule_id
-- text, first_at, last_at timestamptz, value, limit float8, evidence text,
-- knowledge_version int8
SELECT id, series_id, type, direction, severity, rule_id, first_at, last_at,
    value, limit_value, evidence::text, knowledge_version
FROM anomalies WHERE state = 'open' AND planning IS NULL
ORDER BY id LIMIT $1::int8
