-- Say how long a class is kept. $1 class, $2 body jsonb (keep_days, null: for
-- ever) -> body json
SELECT body FROM retention_put($1::text, $2::jsonb) AS body
WHERE body IS NOT NULL
