-- Imports, newest first. $1 limit, $2 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT i, i.id, row_number() OVER (ORDER BY i.id DESC) AS at
	FROM imports i
	WHERE $2::bigint IS NULL OR i.id < $2
	ORDER BY i.id DESC LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(import_json(i) ORDER BY at)
        FILTER (WHERE at <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN (max(id) FILTER (WHERE at = $1))::text END) AS body
FROM page
