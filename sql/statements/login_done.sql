-- The password was right. $1 username, $2 address or NULL, $3 the hash it was
-- checked against, $4 at_home of login_begin -> role. No row: the user changed
-- meanwhile.
SELECT role FROM login_done($1::text, $2::inet, $3::text, $4::boolean)
