-- Series by node and metric. $1 node or NULL, $2 metric or NULL, $3 zone or
-- NULL, $4 retired (NULL: false), $5 limit, $6 cursor (last "node/metric") or
-- NULL
-- -> body json
WITH page AS (
	SELECT s, n.code || '/' || m.code AS path,
	    row_number() OVER (ORDER BY n.code, m.code) AS i
	FROM series s
	JOIN nodes n ON n.id = s.node_id
	JOIN metrics m ON m.id = s.metric_id
	LEFT JOIN zones z ON z.id = n.zone_id
	WHERE ($1::text IS NULL OR n.code = $1)
	    AND ($2::text IS NULL OR m.code = $2)
	    AND ($3::text IS NULL OR z.code = $3)
	    AND (s.retired_at IS NOT NULL) = coalesce($4::boolean, false)
	    AND ($6::text IS NULL OR (n.code, m.code) >
	        (split_part($6, '/', 1), split_part($6, '/', 2)))
	ORDER BY n.code, m.code LIMIT $5::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(series_json(s) ORDER BY i)
        FILTER (WHERE i <= $5), '[]'),
    'next', CASE WHEN count(*) > $5
        THEN max(path) FILTER (WHERE i = $5) END) AS body
FROM page
