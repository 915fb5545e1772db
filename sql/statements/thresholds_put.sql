-- Replace the thresholds of a series. $1 node, $2 metric, $3 body jsonb,
-- $4 If-Match (of the series) or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM thresholds_put($1::text, $2::text, $3::jsonb, $4::text)
