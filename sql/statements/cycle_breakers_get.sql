-- -> gateway_id, failures int4, open_until timestamptz
SELECT gateway_id, failures, open_until FROM gateway_breakers
ORDER BY gateway_id
