-- Change a plan template. $1 code, $2 body jsonb, $3 If-Match or NULL, $4 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM template_change($1::text, $2::jsonb, $3::text, $4::text)
