-- Archives, newest first. $1 class or NULL, $2 state or NULL, $3 limit, $4 cursor
-- (last id) or NULL -> body json
WITH page AS (
	SELECT a, a.id, row_number() OVER (ORDER BY a.id DESC) AS i
	FROM archives a JOIN retention_classes c ON c.id = a.class
	WHERE ($1::text IS NULL OR c.code = $1)
	    AND ($2::text IS NULL OR a.state = $2)
	    AND ($4::bigint IS NULL OR a.id < $4)
	ORDER BY a.id DESC LIMIT $3::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(archive_json(a) ORDER BY i)
        FILTER (WHERE i <= $3), '[]'),
    'next', CASE WHEN count(*) > $3
        THEN (max(id) FILTER (WHERE i = $3))::text END) AS body
FROM page
