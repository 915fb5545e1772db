-- Change a series. $1 node, $2 metric, $3 body jsonb, $4 If-Match or NULL
-- -> body json, etag text, location text
SELECT body, etag, location FROM series_change($1::text, $2::text, $3::jsonb, $4::text)
