-- Change a zone. $1 code, $2 body jsonb
-- -> body json, etag text, location text
SELECT body, etag, location FROM zone_change($1::text, $2::jsonb)
