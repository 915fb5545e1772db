-- Replace all holidays. $1 body jsonb, $2 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM holidays_put($1::jsonb, $2::text)
