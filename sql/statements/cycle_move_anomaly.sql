-- $1 int8 id, $2 text row_id, $3 from, $4 to, $5 timestamptz at, $6 jsonb
-- facts, $7 int8 knowledge_version; no row if it is not in `from`
WITH moved AS (
	UPDATE anomalies SET state = $4::text,
	    cleared_at = CASE $4::text WHEN 'cleared' THEN $5::timestamptz END,
	    turned_at = NULL, due_at = '-infinity'
	WHERE id = $1::int8 AND state = $3::text RETURNING id)
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'anomaly', id, $2::text, $3::text, $4::text, $5::timestamptz, 'loop',
    $6::jsonb, $7::int8
FROM moved
