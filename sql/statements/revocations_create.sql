-- End tokens of a foreign provider. $1 body jsonb, $2 who
-- -> body json
SELECT revocation_create($1::jsonb, $2::text) AS body
