-- $1 username -> password_hash, role. No row: unknown or disabled.
SELECT password_hash, role FROM users
WHERE username = $1 AND disabled_at IS NULL
