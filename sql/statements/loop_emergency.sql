-- Declare an emergency, or its end. $1 body jsonb, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM loop_emergency($1::jsonb, $2::text)
