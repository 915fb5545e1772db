-- $1 username, $2 password hash, $3 role -> body. No row: the name is taken.
INSERT INTO users (username, password_hash, role) VALUES ($1, $2, $3)
ON CONFLICT (username) DO NOTHING
RETURNING json_build_object('username', username, 'role', role,
    'created_at', rfc3339(created_at), 'disabled_at', NULL)::text AS body
