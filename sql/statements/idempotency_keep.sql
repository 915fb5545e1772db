-- Keeps the answer of a claimed key. $1 principal, $2 key, $3 status,
-- $4 body, $5 location or NULL.
UPDATE idempotency SET status = $3::int, body = $4, location = $5
WHERE principal = $1 AND key = $2 AND status = 0
