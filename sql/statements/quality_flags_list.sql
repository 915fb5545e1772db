-- Quality flags, newest first. $1 node or NULL, $2 metric or NULL, $3 true: the
-- cleared ones too, or NULL, $4 limit, $5 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT f, f.id, row_number() OVER (ORDER BY f.id DESC) AS i
	FROM quality_flags f JOIN series s ON s.id = f.series_id
	JOIN nodes n ON n.id = s.node_id
	JOIN metrics m ON m.id = s.metric_id
	WHERE ($1::text IS NULL OR n.code = $1)
	    AND ($2::text IS NULL OR m.code = $2)
	    AND (f.cleared_at IS NULL OR coalesce($3::boolean, false))
	    AND ($5::bigint IS NULL OR f.id < $5)
	ORDER BY f.id DESC LIMIT $4::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(quality_flag_json(f) ORDER BY i)
        FILTER (WHERE i <= $4), '[]'),
    'next', CASE WHEN count(*) > $4
        THEN (max(id) FILTER (WHERE i = $4))::text END) AS body
FROM page
