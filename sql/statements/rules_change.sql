-- Change a rule. $1 code, $2 body jsonb, $3 who, $4 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location
FROM rule_change($1::text, $2::jsonb, $3::text, $4::text)
