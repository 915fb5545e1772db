-- The guards of a link. $1 code
-- -> body json, etag text
SELECT link_guards_json(l) AS body, etag(l.change) AS etag
FROM links l WHERE l.code = $1::text
