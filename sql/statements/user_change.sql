-- Role, zones, disabled or not. $1 username, $2 body jsonb, $3 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM user_change($1::text, $2::jsonb, $3::text)
