-- Users by name. $1 limit, $2 cursor (the last name seen) or NULL -> body
WITH page AS (
	SELECT username, role, created_at, disabled_at FROM users
	WHERE $2::text IS NULL OR username > $2
	ORDER BY username LIMIT $1::int + 1
), shown AS (
	SELECT * FROM page ORDER BY username LIMIT $1::int
)
SELECT json_build_object('items', coalesce(json_agg(json_build_object(
    'username', username, 'role', role,
    'created_at', rfc3339(created_at),
    'disabled_at', rfc3339(disabled_at)) ORDER BY username), '[]'),
    'next', CASE WHEN (SELECT count(*) FROM page) > $1::int
        THEN max(username) END)::text AS body
FROM shown
