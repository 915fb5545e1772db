-- Take hands off, or release. $1 body jsonb, $2 true | false, $3 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM hands_off_set($1::jsonb, $2::boolean, $3::text)
