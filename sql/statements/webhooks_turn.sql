-- Give a webhook another secret. $1 body jsonb, $2 code
-- -> body json, etag, location, id and version of which its secret is made
SELECT doc, etag, location, id, version
FROM webhook_turn($2::text, ($1::jsonb->>'overlap_s')::float8)
