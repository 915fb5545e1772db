-- $1 body jsonb without the password, $2 password hash
-- -> body json, etag text, location text
SELECT body, etag, location FROM user_create($1::jsonb, $2::text)
