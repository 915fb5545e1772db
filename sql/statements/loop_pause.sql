-- Pause or resume Plan and Execute. $1 true | false, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM loop_pause($1::boolean, $2::text)
