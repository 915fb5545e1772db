-- $1 int4 series, $2 text type, $3 direction, $4 severity, $5 rule_id,
-- $6 timestamptz first_at, $7 last_at, $8 float8 value, $9 limit_value,
-- $10 jsonb evidence, $11 int8 knowledge_version. Evidence only moves
-- forward. -> id int8, new bool
INSERT INTO anomalies AS a (series_id, type, direction, severity, state,
    rule_id, first_at, last_at, value, limit_value, evidence,
    knowledge_version)
VALUES ($1::int4, $2::text, $3::text, $4::text, 'open', $5::text,
    $6::timestamptz, $7::timestamptz, $8::float8, $9::float8, $10::jsonb,
    $11::int8)
ON CONFLICT (series_id, type, direction, severity) WHERE state = 'open'
DO UPDATE SET last_at = greatest(a.last_at, excluded.last_at),
    value = CASE WHEN excluded.last_at >= a.last_at THEN excluded.value
	ELSE a.value END,
    evidence = CASE WHEN excluded.last_at >= a.last_at THEN excluded.evidence
	ELSE a.evidence END
RETURNING id, xmax = 0
