-- Webhooks, by code. $1 limit, $2 cursor (last code) or NULL
-- -> body json
WITH page AS (
	SELECT w, w.code, row_number() OVER (ORDER BY w.code) AS i
	FROM webhooks w WHERE $2::text IS NULL OR w.code > $2
	ORDER BY w.code LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(webhook_json(w) ORDER BY i)
        FILTER (WHERE i <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN max(code) FILTER (WHERE i = $1) END) AS body
FROM page
