-- Say what happened to a meter. $1 node, $2 metric, $3 body jsonb, $4 who
-- -> body json, etag text (NULL), location text (NULL)
SELECT body, etag, location
FROM meter_event_add($1::text, $2::text, $3::jsonb, $4::text)
