-- Rules by code. $1 limit, $2 cursor (last code) or NULL
-- -> body json
WITH page AS (
	SELECT r, r.code, row_number() OVER (ORDER BY r.code) AS i
	FROM rules r
	WHERE $2::text IS NULL OR r.code > $2
	ORDER BY r.code LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(rule_json(r) ORDER BY i)
        FILTER (WHERE i <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN max(code) FILTER (WHERE i = $1) END) AS body
FROM page
