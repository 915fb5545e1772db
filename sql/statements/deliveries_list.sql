-- What a webhook was or is to be sent, newest first. $1 code, $2 state or
-- NULL, $3 limit, $4 cursor (last event) or NULL
-- -> body json; no row if there is no such webhook
SELECT (
	WITH page AS (
		SELECT d, d.event_id,
		    row_number() OVER (ORDER BY d.event_id DESC) AS i
		FROM webhook_deliveries d
		WHERE d.webhook_id = w.id
		    AND ($2::text IS NULL OR d.state = $2)
		    AND ($4::bigint IS NULL OR d.event_id < $4)
		ORDER BY d.event_id DESC LIMIT $3::int + 1
	)
	SELECT json_build_object(
	    'items', coalesce(json_agg(delivery_json(d) ORDER BY i)
	        FILTER (WHERE i <= $3), '[]'),
	    'next', CASE WHEN count(*) > $3
	        THEN (max(event_id) FILTER (WHERE i = $3))::text END)
	FROM page) AS body
FROM webhooks w WHERE w.code = $1::text
