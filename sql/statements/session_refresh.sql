-- $1 SHA-256 of the refresh token's part that stays, $2 of the one that was
-- sent, $3 of the next, $4 idle life, $5 life of an access token, in s
-- -> verdict ok | unknown | over | spent, session, username, role, s within
-- which to refresh
SELECT verdict, session, username, role, lives_s FROM session_refresh(
    $1::bytea, $2::bytea, $3::bytea, $4::int, $5::int)
