-- Incidents, newest first. $1 'true': open ones, 'false': closed ones, or
-- NULL, $2 limit, $3 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT i, i.id, row_number() OVER (ORDER BY i.id DESC) AS n
	FROM incidents i
	WHERE ($1::text IS NULL OR (i.closed_at IS NULL) = $1::boolean)
	    AND ($3::bigint IS NULL OR i.id < $3)
	ORDER BY i.id DESC LIMIT $2::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(incident_json(i) ORDER BY n)
        FILTER (WHERE n <= $2), '[]'),
    'next', CASE WHEN count(*) > $2
        THEN (max(id) FILTER (WHERE n = $2))::text END) AS body
FROM page
