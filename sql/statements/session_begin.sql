-- After a log-in. $1 username, $2 the hash that the password was checked
-- against, $3 and $4 SHA-256 of the refresh token's parts, $5 life, $6 idle
-- life, $7 life of an access token, in s -> verdict ok, session, username,
-- role, s within which to refresh. No row: the user changed meanwhile.
SELECT verdict, session, username, role, lives_s FROM session_begin($1::text,
    $2::text, $3::bytea, $4::bytea, $5::int, $6::int, $7::int)
