-- The record, newest first. $1 from, $2 to (exclusive) timestamptz, $3 actor,
-- $4 node, $5 action, $6 outcome, each or NULL, $7 limit, $8 cursor (last id)
-- or NULL -> body json
WITH page AS (
	SELECT a, a.id, row_number() OVER (ORDER BY a.id DESC) AS i
	FROM audit a
	WHERE ($1::timestamptz IS NULL OR a.at >= $1)
	    AND ($2::timestamptz IS NULL OR a.at < $2)
	    AND ($3::text IS NULL OR a.actor = $3)
	    AND ($4::text IS NULL OR a.nodes @> ARRAY[$4])
	    AND ($5::text IS NULL OR a.action = $5)
	    AND ($6::text IS NULL OR a.outcome = $6)
	    AND ($8::bigint IS NULL OR a.id < $8)
	ORDER BY a.id DESC LIMIT $7::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(audit_json(a) ORDER BY i)
        FILTER (WHERE i <= $7), '[]'),
    'next', CASE WHEN count(*) > $7
        THEN (max(id) FILTER (WHERE i = $7))::text END) AS body
FROM page
