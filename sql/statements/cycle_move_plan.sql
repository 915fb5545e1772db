-- $1 int8 id, $2 text row_id, $3 from, $4 to, $5 timestamptz at, $6 jsonb
-- facts, $7 int8 knowledge_version; no row if it is not in `from`
WITH moved AS (
	UPDATE plans SET state = $4::text,
	    sent_at = CASE $4::text WHEN 'executing'
		THEN coalesce(sent_at, $5::timestamptz) ELSE sent_at END,
	    executed_at = CASE $4::text WHEN 'verifying'
		THEN $5::timestamptz ELSE executed_at END,
	    closed_at = CASE WHEN $4::text NOT IN ('proposed', 'approved',
		'executing', 'verifying') THEN $5::timestamptz END,
	    verdict = CASE WHEN $3::text = 'verifying' THEN $6::jsonb
		ELSE verdict END
	WHERE id = $1::int8 AND state = $3::text RETURNING id)
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'plan', id, $2::text, $3::text, $4::text, $5::timestamptz, 'loop',
    $6::jsonb, $7::int8
FROM moved
