-- One node with its series. $1 code
-- -> body json, etag text
SELECT node_json(n) AS body, node_etag(n) AS etag
FROM nodes n WHERE n.code = $1::text
