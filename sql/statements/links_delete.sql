-- Delete a link that no command names. $1 code, $2 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM link_delete($1::text, $2::text)
