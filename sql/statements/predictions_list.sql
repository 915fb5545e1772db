-- The newest forecasts of a metric, by node. $1 zone or NULL, $2 metric, $3
-- horizon, $4 limit, $5 cursor (last node) or NULL
-- -> body json
WITH page AS (
	SELECT v.node, v.metric, row_number() OVER (ORDER BY v.node) AS i
	FROM forecast_series v JOIN nodes n ON n.id = v.node_id
	    LEFT JOIN zones z ON z.id = n.zone_id
	WHERE v.metric = coalesce($2::text, 'flow')
	    AND ($1::text IS NULL OR z.code = $1)
	    AND ($5::text IS NULL OR v.node > $5)
	ORDER BY v.node LIMIT $4::int + 1
), hours AS MATERIALIZED (
	SELECT forecast_hours(coalesce($3::text, '24h')) AS most
)
SELECT json_build_object(
    'items', coalesce(json_agg(prediction_json(node, metric, most) ORDER BY i)
        FILTER (WHERE i <= $4), '[]'),
    'next', CASE WHEN count(node) > $4
        THEN max(node) FILTER (WHERE i = $4) END) AS body
FROM hours LEFT JOIN page ON true
