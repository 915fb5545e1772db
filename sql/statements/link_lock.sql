-- Lock or unlock a link. $1 code, $2 true | false, $3 body jsonb, $4 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM link_lock($1::text, $2::boolean, $3::jsonb, $4::text)
