-- $1 username -> body NULL. No row: unknown, or disabled already. One admin
-- always stays; the lock lets two admins not disable each other.
WITH admins AS MATERIALIZED (
	SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL
	ORDER BY id FOR UPDATE
), target AS (
	SELECT id, role FROM users WHERE username = $1 AND disabled_at IS NULL
), guard AS MATERIALIZED (
	SELECT refuse(409, 'the last admin cannot be disabled') FROM target
	WHERE role = 'admin' AND (SELECT count(*) FROM admins) < 2
)
UPDATE users SET disabled_at = now()
WHERE id = (SELECT id FROM target) AND disabled_at IS NULL
    AND (SELECT count(*) FROM guard) = 0
RETURNING NULL::text AS body
