-- Change how alarms of a severity are dealt with. $1 severity, $2 body jsonb,
-- $3 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location
FROM alarm_class_change($1::text, $2::jsonb, $3::text)
