-- $1 username -> body json, etag text
SELECT user_json(u) AS body, etag(u.change) AS etag
FROM users u WHERE u.username = $1
