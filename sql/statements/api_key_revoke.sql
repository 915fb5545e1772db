-- $1 id -> body NULL. No row: unknown, or revoked already.
UPDATE api_keys SET revoked_at = now()
WHERE id = $1 AND revoked_at IS NULL
RETURNING NULL::text AS body
