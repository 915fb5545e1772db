-- $1 username, $2 new hash, $3 the hash that the old password was checked
-- against, NULL when an admin sets it -> false: it changed meanwhile
SELECT user_set_password($1::text, $2::text, $3::text)
