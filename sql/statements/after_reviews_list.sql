-- After-reviews, newest first. $1 state (open, closed) or NULL, $2 limit,
-- $3 cursor (last id) or NULL
-- -> body json
WITH page AS (
	SELECT r, r.id, row_number() OVER (ORDER BY r.id DESC) AS i
	FROM after_reviews r
	WHERE ($1::text IS NULL OR (r.closed_at IS NULL) = ($1 = 'open'))
	    AND ($3::bigint IS NULL OR r.id < $3)
	ORDER BY r.id DESC LIMIT $2::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(after_review_json(r) ORDER BY i)
        FILTER (WHERE i <= $2), '[]'),
    'next', CASE WHEN count(*) > $2
        THEN (max(id) FILTER (WHERE i = $2))::text END) AS body
FROM page
