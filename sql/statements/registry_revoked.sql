-- Sessions that ended after change $1 (bigint) while access tokens of them may
-- live, oldest change first, in pages. -> session, until as µs since 1970,
-- change
SELECT id, (extract(epoch FROM access_until) * 1000000)::int8, change
FROM sessions
WHERE revoked_at IS NOT NULL AND change > $1 AND access_until > now()
ORDER BY change
LIMIT 20000
