-- API keys by id, without their secrets. $1 limit, $2 cursor (the last id
-- seen) or NULL -> body
WITH page AS (
	SELECT * FROM api_keys WHERE $2::text IS NULL OR id > $2
	ORDER BY id LIMIT $1::int + 1
), shown AS (
	SELECT * FROM page ORDER BY id LIMIT $1::int
)
SELECT json_build_object('items', coalesce(json_agg(key_json(k)
    ORDER BY id), '[]'),
    'next', CASE WHEN (SELECT count(*) FROM page) > $1::int
        THEN max(id) END)::text AS body
FROM (SELECT (shown.*)::api_keys AS k, id FROM shown) s
