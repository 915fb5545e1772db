-- Revocations in force, newest first. $1 limit, $2 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT r, r.id, row_number() OVER (ORDER BY r.id DESC) AS i
	FROM revocations r
	WHERE r.until > now() AND ($2::bigint IS NULL OR r.id < $2)
	ORDER BY r.id DESC LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(revocation_json(r) ORDER BY i)
        FILTER (WHERE i <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN (min(id) FILTER (WHERE i = $1))::text END) AS body
FROM page
