-- Anomalies, newest first. $1 state or NULL, $2 severity or NULL, $3 node or
-- NULL, $4 from timestamptz or NULL, $5 limit, $6 cursor (last id) or NULL,
-- $7 alarm_state, 'live' or NULL
-- -> body json
WITH page AS (
	SELECT a, a.id, row_number() OVER (ORDER BY a.id DESC) AS i
	FROM anomalies a
	WHERE ($1::text IS NULL OR a.state = $1)
	    AND ($2::text IS NULL OR a.severity = $2)
	    AND ($3::text IS NULL OR a.series_id IN (SELECT s.id
	        FROM series s JOIN nodes n ON n.id = s.node_id
	        WHERE n.code = $3))
	    AND ($4::timestamptz IS NULL OR a.state = 'open'
	        OR a.last_at >= $4)
	    AND ($6::bigint IS NULL OR a.id < $6)
	    AND ($7::text IS NULL OR a.alarm_state = $7
	        OR ($7 = 'live' AND a.alarm_state <> 'normal'))
	ORDER BY a.id DESC LIMIT $5::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(anomaly_json(a) ORDER BY i)
        FILTER (WHERE i <= $5), '[]'),
    'next', CASE WHEN count(*) > $5
        THEN (max(id) FILTER (WHERE i = $5))::text END) AS body
FROM page
