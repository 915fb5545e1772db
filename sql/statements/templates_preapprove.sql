-- Agree to a template for emergencies, or no longer. $1 code, $2 body jsonb,
-- $3 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM template_preapprove($1::text, $2::jsonb, $3::text)
