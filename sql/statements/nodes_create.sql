-- Create a node with its series. $1 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM node_create($1::jsonb)
