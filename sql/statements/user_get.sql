-- $1 username -> body json, etag text
SELECT body, etag FROM user_shown($1::text)
