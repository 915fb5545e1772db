-- $1 int8 id, $2 int4 attempts, $3 timestamptz next_attempt_at, $4
-- not_after, $5 text error or NULL
UPDATE commands SET attempts = $2::int4, next_attempt_at = $3::timestamptz,
    not_after = $4::timestamptz, last_error = $5::text
WHERE id = $1::int8
