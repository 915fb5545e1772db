-- Plans, newest first. $1 state or NULL, $2 limit, $3 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT p, p.id, row_number() OVER (ORDER BY p.id DESC) AS i
	FROM plans p
	WHERE ($1::text IS NULL OR p.state = $1)
	    AND ($3::bigint IS NULL OR p.id < $3)
	ORDER BY p.id DESC LIMIT $2::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(plan_json(p) ORDER BY i)
        FILTER (WHERE i <= $2), '[]'),
    'next', CASE WHEN count(*) > $2
        THEN (max(id) FILTER (WHERE i = $2))::text END) AS body
FROM page
