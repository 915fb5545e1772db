-- Change a webhook. $1 code, $2 body jsonb, $3 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM webhook_change($1::text, $2::jsonb, $3::text)
