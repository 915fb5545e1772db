-- Void an event of a meter. $1 node, $2 metric, $3 id, $4 who
-- -> body json, etag text (NULL), location text (NULL)
SELECT body, etag, location
FROM meter_event_void($1::text, $2::text, $3::bigint, $4::text)
