-- Hands-off switches, newest first. $1 set now alone (true) or NULL, $2 limit,
-- $3 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT h, h.id, row_number() OVER (ORDER BY h.id DESC) AS i
	FROM hands_off h
	WHERE ($1::text IS NULL OR (h.released_at IS NULL) = $1::boolean)
	    AND ($3::int IS NULL OR h.id < $3)
	ORDER BY h.id DESC LIMIT $2::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(hands_off_json(h) ORDER BY i)
        FILTER (WHERE i <= $2), '[]'),
    'next', CASE WHEN count(*) > $2
        THEN (max(id) FILTER (WHERE i = $2))::text END) AS body
FROM page
