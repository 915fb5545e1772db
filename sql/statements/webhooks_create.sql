-- Create a webhook. $1 body jsonb
-- -> body json, etag, location, id and version of which its secret is made
SELECT doc, etag, location, id, version FROM webhook_create($1::jsonb)
