-- Acknowledge an anomaly. $1 id, $2 body jsonb or NULL, $3 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM anomaly_ack($1::bigint, $2::jsonb, $3::text)
