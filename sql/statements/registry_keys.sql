-- API keys changed after $1 (bigint), oldest change first, in pages.
-- -> id, name, SHA-256 of the secret (hex), revoked, change
SELECT id, name, encode(secret_sha256, 'hex'), revoked_at IS NOT NULL, change
FROM api_keys
WHERE change > $1
ORDER BY change
LIMIT 20000
