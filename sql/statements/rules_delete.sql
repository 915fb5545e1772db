-- Delete a rule that never raised anything. $1 code, $2 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM rule_delete($1::text, $2::text)
