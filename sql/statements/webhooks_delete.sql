-- Delete a webhook and what it was still to get. $1 code
-- -> body json, etag text, location text
SELECT body, etag, location FROM webhook_delete($1::text)
