-- A new key for an old one. $1 id of the old one, $2 body jsonb, $3 id,
-- $4 SHA-256 of the secret, $5 who -> body json, etag text, location text
SELECT body, etag, location
FROM key_rotate($1::text, $2::jsonb, $3::text, $4::bytea, $5::text)
