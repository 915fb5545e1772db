-- Approve or reject a proposed plan. $1 id, $2 approve | reject,
-- $3 body jsonb or NULL, $4 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM plan_decide($1::bigint, $2::text, $3::jsonb, $4::text)
