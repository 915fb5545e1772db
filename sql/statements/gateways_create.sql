-- Create a gateway. $1 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM gateway_create($1::jsonb)
