-- Send an event once more. $1 code, $2 event
-- -> body json, etag text, location text
SELECT body, etag, location FROM delivery_again($1::text, $2::bigint)
