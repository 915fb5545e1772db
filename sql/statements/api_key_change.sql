-- Name, scope, expiry. $1 id, $2 body jsonb, $3 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM key_change($1::text, $2::jsonb, $3::text)
