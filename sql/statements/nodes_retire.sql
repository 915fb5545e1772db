-- Retire a node and its series. $1 code, $2 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM node_retire($1::text, $2::text)
