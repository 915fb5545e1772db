-- Let a model reign. $1 id, $2 body jsonb, $3 who
-- -> body json, etag text, location text
SELECT body, etag, location FROM model_promote($1::bigint, $2::jsonb, $3::text)
