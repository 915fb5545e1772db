-- Plan templates by code. $1 limit, $2 cursor (last code) or NULL
-- -> body json
WITH page AS (
	SELECT t, t.code, row_number() OVER (ORDER BY t.code) AS i
	FROM plan_templates t
	WHERE $2::text IS NULL OR t.code > $2
	ORDER BY t.code LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(template_json(t) ORDER BY i)
        FILTER (WHERE i <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN max(code) FILTER (WHERE i = $1) END) AS body
FROM page
