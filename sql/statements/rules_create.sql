-- Create a rule. $1 body jsonb, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM rule_create($1::jsonb, $2::text)
