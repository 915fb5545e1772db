-- Users by name. $1 limit, $2 cursor (the last name seen) or NULL -> body
SELECT user_page($1::int, $2::text) AS body
