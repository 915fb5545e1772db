-- One rule. $1 code
-- -> body json, etag text
SELECT rule_json(r) AS body, etag(r.change) AS etag
FROM rules r WHERE r.code = $1::text
