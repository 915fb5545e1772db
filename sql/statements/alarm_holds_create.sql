-- Keep alarms quiet for a time. $1 kind, $2 body jsonb, $3 who
-- -> body json, etag text, location text
SELECT body, etag, location
FROM alarm_hold_create($1::text, $2::jsonb, $3::text)
