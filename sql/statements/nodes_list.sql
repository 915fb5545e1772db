-- Nodes by code. $1 zone or NULL, $2 type or NULL, $3 retired (NULL: false),
-- $4 limit, $5 cursor (last code) or NULL
-- -> body json
WITH page AS (
	SELECT n, n.code, row_number() OVER (ORDER BY n.code) AS i
	FROM nodes n LEFT JOIN zones z ON z.id = n.zone_id
	WHERE ($1::text IS NULL OR z.code = $1)
	    AND ($2::text IS NULL OR n.type = $2)
	    AND (n.retired_at IS NOT NULL) = coalesce($3::boolean, false)
	    AND ($5::text IS NULL OR n.code > $5)
	ORDER BY n.code LIMIT $4::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(node_json(n) ORDER BY i)
        FILTER (WHERE i <= $4), '[]'),
    'next', CASE WHEN count(*) > $4
        THEN max(code) FILTER (WHERE i = $4) END) AS body
FROM page
