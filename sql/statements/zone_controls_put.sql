-- Replace the rules of a zone. $1 code, $2 jsonb array of link, open, node,
-- above, level (m)
-- -> body json, etag text, location text
SELECT body, etag, location FROM zone_controls_put($1::text, $2::jsonb)
