-- One webhook. $1 code
-- -> body json, etag text
SELECT webhook_json(w) AS body, etag(w.change)
FROM webhooks w WHERE w.code = $1::text
