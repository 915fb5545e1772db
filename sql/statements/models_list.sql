-- Models, newest first. $1 node or NULL, $2 metric or NULL, $3 state or NULL,
-- $4 limit, $5 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT m, m.id, row_number() OVER (ORDER BY m.id DESC) AS i
	FROM models m JOIN series s ON s.id = m.series_id
	    JOIN nodes n ON n.id = s.node_id JOIN metrics t ON t.id = s.metric_id
	WHERE ($1::text IS NULL OR n.code = $1)
	    AND ($2::text IS NULL OR t.code = $2)
	    AND ($3::text IS NULL OR m.state = $3)
	    AND ($5::text IS NULL OR m.id < $5::bigint)
	ORDER BY m.id DESC LIMIT $4::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(model_json(m) ORDER BY i)
        FILTER (WHERE i <= $4), '[]'),
    'next', CASE WHEN count(*) > $4
        THEN (max(id) FILTER (WHERE i = $4))::text END,
    'run', (SELECT fit_run_json(r) FROM fit_runs r ORDER BY id DESC LIMIT 1))
    AS body
FROM page
