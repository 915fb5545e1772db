-- Say what became of an unknown command. $1 id, $2 body jsonb, $3 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM command_settle($1::bigint, $2::jsonb, $3::text)
