-- What people are to be told, newest first. $1 limit, $2 cursor (last id) or
-- NULL
-- -> body json
WITH page AS (
	SELECT n.*, row_number() OVER (ORDER BY n.id DESC) AS i
	FROM notifications n
	WHERE ($2::bigint IS NULL OR n.id < $2)
	ORDER BY n.id DESC LIMIT $1::int + 1
)
SELECT json_build_object(
    'items', coalesce(json_agg(json_build_object('id', id,
	'at', rfc3339(at), 'kind', kind, 'subject', subject,
	'subject_id', subject_id, 'level', level, 'audience', audience,
	'zone', (SELECT code FROM zones z WHERE z.id = zone_id),
	'facts', facts) ORDER BY i) FILTER (WHERE i <= $1), '[]'),
    'next', CASE WHEN count(*) > $1
        THEN (max(id) FILTER (WHERE i = $1))::text END) AS body
FROM page
