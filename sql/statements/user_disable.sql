-- $1 username, $2 If-Match or NULL -> body NULL
SELECT NULL::text AS body
FROM user_change($1::text, '{"disabled": true}', $2::text)
