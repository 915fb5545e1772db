-- Let planning count on a template's figures. $1 code, $2 body jsonb, $3 text
-- who -> body json, etag text, location text
SELECT body, etag, location
FROM template_figures_accept($1::text, $2::jsonb, $3::text)
