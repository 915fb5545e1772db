-- $1 id -> body json, etag text
SELECT key_json(k) AS body, etag(k.change) AS etag
FROM api_keys k WHERE k.id = $1
