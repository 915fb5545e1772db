-- $1 int8 id, $2 text row_id, $3 from, $4 to, $5 timestamptz at, $6 jsonb
-- facts, $7 int8 knowledge_version; no row if it is not in `from`. From
-- unknown to unknown it is given up. Its plan is locked first, as by people.
WITH held AS (
	SELECT p.id FROM plans p WHERE p.id = (SELECT plan_id FROM commands
	    WHERE id = $1::int8) FOR NO KEY UPDATE),
moved AS (
	UPDATE commands SET state = $4::text,
	    sent_at = CASE $4::text WHEN 'sent' THEN $5::timestamptz
		ELSE sent_at END,
	    closed_at = CASE WHEN $4::text IN ('executed', 'verified',
		'failed', 'expired', 'cancelled') THEN $5::timestamptz END,
	    dead_at = CASE WHEN $4::text IN ('failed', 'expired')
		OR ($3::text = 'unknown' AND $4::text = 'unknown')
		THEN $5::timestamptz END
	WHERE id = $1::int8 AND state = $3::text
	    AND EXISTS (SELECT FROM held) RETURNING id)
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'command', id, $2::text, $3::text, $4::text, $5::timestamptz, 'loop',
    $6::jsonb, $7::int8
FROM moved
