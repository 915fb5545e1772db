-- $1 username, $2 session of the token -> body NULL
SELECT NULL::text AS body
FROM check_session($2::bigint), session_end_all($1::text)
