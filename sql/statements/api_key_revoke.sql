-- $1 id -> body NULL. No row: unknown, or revoked already.
WITH begun AS MATERIALIZED (SELECT change_begin())
UPDATE api_keys SET revoked_at = now() FROM begun
WHERE id = $1 AND revoked_at IS NULL
RETURNING NULL::text AS body
