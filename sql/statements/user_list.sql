-- Users by name. $1 limit, $2 cursor (the last name seen) or NULL -> body
WITH page AS (
	SELECT * FROM users WHERE $2::text IS NULL OR username > $2
	ORDER BY username LIMIT $1::int + 1
), shown AS (
	SELECT * FROM page ORDER BY username LIMIT $1::int
)
SELECT json_build_object('items', coalesce(json_agg(user_json(u)
    ORDER BY username), '[]'),
    'next', CASE WHEN (SELECT count(*) FROM page) > $1::int
        THEN max(username) END)::text AS body
FROM (SELECT (shown.*)::users AS u, username FROM shown) s
