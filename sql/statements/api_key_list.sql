-- API keys by id, without their secrets. $1 limit, $2 cursor (the last id
-- seen) or NULL -> body
WITH page AS (
	SELECT id, name, role, created_by, created_at, revoked_at
	FROM api_keys WHERE $2::text IS NULL OR id > $2
	ORDER BY id LIMIT $1::int + 1
), shown AS (
	SELECT * FROM page ORDER BY id LIMIT $1::int
)
SELECT json_build_object('items', coalesce(json_agg(json_build_object(
    'id', id, 'name', name, 'role', role, 'created_by', created_by,
    'created_at', rfc3339(created_at),
    'revoked_at', rfc3339(revoked_at)) ORDER BY id), '[]'),
    'next', CASE WHEN (SELECT count(*) FROM page) > $1::int
        THEN max(id) END)::text AS body
FROM shown
