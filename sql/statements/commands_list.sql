-- Commands, newest first. $1 state or NULL, $2 gateway or NULL, $3 link or
-- NULL, $4 dead letters alone (true) or NULL, $5 limit, $6 cursor (last id)
-- or NULL
-- -> body json
WITH page AS (
	SELECT c, c.id, row_number() OVER (ORDER BY c.id DESC) AS i
	FROM commands c
	WHERE ($1::text IS NULL OR c.state = $1)
	    AND ($2::text IS NULL OR c.gateway_id = (SELECT id FROM gateways
	        WHERE code = $2))
	    AND ($3::text IS NULL OR c.link_id = (SELECT id FROM links
	        WHERE code = $3))
	    AND ($4::text IS NULL OR (c.dead_at IS NOT NULL) = $4::boolean)
	    AND ($6::bigint IS NULL OR c.id < $6)
	ORDER BY c.id DESC LIMIT $5::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(command_json(c) ORDER BY i)
        FILTER (WHERE i <= $5), '[]'),
    'next', CASE WHEN count(*) > $5
        THEN (max(id) FILTER (WHERE i = $5))::text END) AS body
FROM page
