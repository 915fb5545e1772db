-- Begin an import. $1 body jsonb or NULL, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location
FROM import_create(coalesce($1::jsonb, '{}'), $2::text)
