-- Replace how the effect of a template's plans is proved. $1 code, $2 body
-- jsonb, $3 If-Match or NULL -> body json, etag text, location text
SELECT body, etag, location FROM template_prove($1::text, $2::jsonb, $3::text)
