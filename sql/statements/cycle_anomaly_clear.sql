-- $1 int4 series, $2 text type, $3 direction, $4 severity, $5 text row_id,
-- $6 from, $7 to, $8 timestamptz at, $9 jsonb facts, $10 int8
-- knowledge_version, $11 int4 number of the rule: the open anomaly of the condition, if there is one
WITH moved AS (
	UPDATE anomalies SET state = $7::text, cleared_at = $8::timestamptz,
	    turned_at = NULL, due_at = '-infinity'
	WHERE series_id = $1::int4 AND type = $2::text
	    AND direction = $3::text AND severity = $4::text
	    AND rule_no = $11::int4 AND state = 'open' AND $6::text = 'open'
	RETURNING id)
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'anomaly', id, $5::text, $6::text, $7::text, $8::timestamptz, 'loop',
    $9::jsonb, $10::int8
FROM moved
