-- No part comes any more. $1 id, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location
FROM import_end($1::bigint, 'finished', $2::text)
WHERE body IS NOT NULL
