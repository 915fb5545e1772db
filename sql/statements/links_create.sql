-- Create a link. $1 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM link_create($1::jsonb)
