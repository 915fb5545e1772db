-- $1 int8 id, $2 int4 attempts, $3 int4 asked, $4 timestamptz
-- next_attempt_at, $5 ask_until, $6 text error or NULL
UPDATE commands SET attempts = $2::int4, asked = $3::int4,
    next_attempt_at = $4::timestamptz, ask_until = $5::timestamptz,
    last_error = $6::text
WHERE id = $1::int8
