-- Spans of quiet, newest first. $1 kind or NULL, $2 'true': those that have
-- not ended, or NULL, $3 limit, $4 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT h, h.id, row_number() OVER (ORDER BY h.id DESC) AS i
	FROM alarm_holds h
	WHERE ($1::text IS NULL OR h.kind = $1)
	    AND ($2::text IS NULL OR (h.ended_at IS NULL) = $2::boolean)
	    AND ($4::bigint IS NULL OR h.id < $4)
	ORDER BY h.id DESC LIMIT $3::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(alarm_hold_json(h) ORDER BY i)
        FILTER (WHERE i <= $3), '[]'),
    'next', CASE WHEN count(*) > $3
        THEN (max(id) FILTER (WHERE i = $3))::text END) AS body
FROM page
