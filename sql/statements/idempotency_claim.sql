-- Claims a key for one request. $1 principal, $2 key, $3 request's SHA-256.
-- -> claimed bool, same bool (the request), status int (0: not answered yet),
-- body text, location text. No row: another claims it at this moment.
-- An unanswered claim is given up after a minute, an answer after a day.
WITH old AS (
	DELETE FROM idempotency i WHERE (i.principal, i.key) IN (
		SELECT o.principal, o.key FROM idempotency o
		WHERE o.created_at < now() - interval '1 day'
		    AND (o.principal, o.key) <> ($1, $2)
		ORDER BY o.created_at LIMIT 10 FOR UPDATE SKIP LOCKED)
), claim AS (
	INSERT INTO idempotency (principal, key, request_sha256, status, body)
	VALUES ($1::text, $2::text, $3::bytea, 0, '')
	ON CONFLICT (principal, key) DO UPDATE
	SET request_sha256 = EXCLUDED.request_sha256, status = 0, body = '',
	    location = NULL, created_at = now()
	WHERE idempotency.created_at < now() - interval '1 day'
	    OR (idempotency.status = 0
	        AND idempotency.created_at < now() - interval '1 minute')
	RETURNING 1
)
SELECT true AS claimed, true AS same, 0 AS status, '' AS body,
    NULL::text AS location
FROM claim
UNION ALL
SELECT false, request_sha256 = $3, status, body, location
FROM idempotency
WHERE principal = $1 AND key = $2 AND NOT EXISTS (SELECT FROM claim)
