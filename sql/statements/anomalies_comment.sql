-- Comment on an alarm. $1 id, $2 body jsonb or NULL, $3 who, $4 If-Match
-- or NULL
-- -> body json, etag text, location text
SELECT body, etag, location
FROM alarm_comment($1::bigint, $2::jsonb, $3::text, $4::text)
