-- A refresh token was used twice. $1 session -> NULL
SELECT NULL::text FROM session_end($1::bigint, 'refresh token reused')
