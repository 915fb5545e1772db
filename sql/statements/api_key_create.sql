-- $1 body jsonb, $2 id, $3 SHA-256 of the secret, $4 who
-- -> body json, etag text, location text
SELECT body, etag, location
FROM key_create($1::jsonb, $2::text, $3::bytea, $4::text)
