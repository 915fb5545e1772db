-- End a span of quiet. $1 id, $2 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM alarm_hold_end($1::bigint, $2::text)
