-- Create a plan template. $1 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM template_create($1::jsonb)
