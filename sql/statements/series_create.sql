-- Create a series. $1 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM series_create($1::jsonb)
