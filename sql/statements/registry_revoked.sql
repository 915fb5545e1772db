-- What ended after change $1 (bigint) while access tokens of it may live,
-- oldest change first, in pages: sessions by their number, tokens of a foreign
-- provider by their mark. -> key, until as µs since 1970, change, before: as
-- until, tokens that began then or later are good; 0: none is
SELECT key, (extract(epoch FROM until) * 1000000)::int8, change,
    coalesce((extract(epoch FROM before) * 1000000)::int8, 0)
FROM (
	SELECT id AS key, access_until AS until, change,
	    NULL::timestamptz AS before
	FROM sessions WHERE revoked_at IS NOT NULL
	UNION ALL
	SELECT key, until, change, before FROM revocations
) ended
WHERE change > $1 AND until > now()
ORDER BY change
LIMIT 20000
