-- API keys changed after $1 (bigint), oldest change first, in pages.
-- -> id, name, SHA-256 of the secret (hex), revoked, change, codes of the nodes
--    and of the zones it may send for, with commas (both null: for all),
--    microseconds since 1970 at which it expires (null: never), id of the key
--    that it replaces (null: none)
SELECT id, name, encode(secret_sha256, 'hex'), revoked_at IS NOT NULL, change,
    CASE WHEN node_ids IS NOT NULL THEN (SELECT coalesce(
        string_agg(n.code, ','), '') FROM nodes n
        WHERE n.id = ANY (node_ids)) END,
    CASE WHEN zone_ids IS NOT NULL THEN (SELECT coalesce(
        string_agg(z.code, ','), '') FROM zones z
        WHERE z.id = ANY (zone_ids)) END,
    (extract(epoch FROM expires_at) * 1000000)::bigint, replaces
FROM api_keys
WHERE change > $1
ORDER BY change
LIMIT 20000
