-- Versions of a rule, newest first. $1 code, $2 limit, $3 cursor (last
-- version) or NULL
-- -> body json; no row if there is no such rule
WITH page AS (
	SELECT v, v.version, row_number() OVER (ORDER BY v.version DESC) AS i
	FROM rule_versions v JOIN rules r ON r.id = v.rule_id
	WHERE r.code = $1::text
	    AND ($3::text IS NULL OR v.version < $3::text::int)
	ORDER BY v.version DESC LIMIT $2::int + 1
)
SELECT json_build_object(
    'items', (SELECT coalesce(json_agg(rule_version_json(v) ORDER BY i)
        FILTER (WHERE i <= $2), '[]') FROM page),
    'next', (SELECT CASE WHEN count(*) > $2
        THEN min(version) FILTER (WHERE i <= $2)::text END FROM page)) AS body
WHERE EXISTS (SELECT FROM rules WHERE code = $1::text)
