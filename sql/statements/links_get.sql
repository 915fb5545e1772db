-- One link. $1 code
-- -> body json, etag text
SELECT link_json(t) AS body, etag(t.change) AS etag
FROM links t WHERE t.code = $1::text
