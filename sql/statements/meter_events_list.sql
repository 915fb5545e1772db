-- Events of a meter, newest first. $1 node, $2 metric, $3 from timestamptz or
-- NULL, $4 to (excluded) or NULL, $5 true: voided ones too, or NULL, $6 limit,
-- $7 cursor (last id) or NULL -> body json; no row: no such series
WITH one AS (
	SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id
	JOIN metrics m ON m.id = s.metric_id
	WHERE n.code = $1::text AND m.code = $2::text
), page AS (
	SELECT e, e.id, row_number() OVER (ORDER BY e.at DESC, e.id DESC) AS i
	FROM meter_events e
	WHERE e.series_id = (SELECT id FROM one)
	    AND ($3::timestamptz IS NULL OR e.at >= $3)
	    AND ($4::timestamptz IS NULL OR e.at < $4)
	    AND (e.voided_at IS NULL OR coalesce($5::boolean, false))
	    AND ($7::bigint IS NULL OR (e.at, e.id) <
	        (SELECT c.at, c.id FROM meter_events c WHERE c.id = $7))
	ORDER BY e.at DESC, e.id DESC LIMIT $6::int + 1
)
SELECT (SELECT json_build_object(
    'items', coalesce(json_agg(meter_event_json(e) ORDER BY i)
        FILTER (WHERE i <= $6), '[]'),
    'next', CASE WHEN count(*) > $6
        THEN (max(id) FILTER (WHERE i = $6))::text END) FROM page) AS body
FROM one
