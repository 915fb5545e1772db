-- $1 session of a token -> body NULL. Not an error if it has ended already.
SELECT NULL::text AS body
FROM check_session($1::bigint), session_end($1::bigint, 'logged out')
