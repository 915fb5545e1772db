-- $1 int8 id, $2 int4 attempts, $3 int4 asked, $4 timestamptz
-- next_attempt_at, $5 ask_until, $6 text error or NULL. Its plan is locked
-- first, as by people.
WITH held AS (
	SELECT p.id FROM plans p WHERE p.id = (SELECT plan_id FROM commands
	    WHERE id = $1::int8) FOR NO KEY UPDATE)
UPDATE commands SET attempts = $2::int4, asked = $3::int4,
    next_attempt_at = $4::timestamptz, ask_until = $5::timestamptz,
    last_error = $6::text
WHERE id = $1::int8 AND EXISTS (SELECT FROM held)
