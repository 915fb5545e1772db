-- One gateway with its breaker. $1 code
-- -> body json, etag text
SELECT gateway_json(t) AS body, etag(t.change) AS etag
FROM gateways t WHERE t.code = $1::text
