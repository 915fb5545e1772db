-- Before a password is looked at. $1 username, $2 address or NULL, $3 tries
-- -> password_hash (NULL: nobody), role, wait_s (0: go on), at_home
SELECT password_hash, role, wait_s, at_home
FROM login_begin($1::text, $2::inet, $3::int)
