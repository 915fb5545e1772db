-- Say how long a class is kept. $1 class, $2 body jsonb (keep_days, null: for
-- ever) -> body json
UPDATE retention_classes c SET keep_days = ($2::jsonb->>'keep_days')::int
WHERE c.code = $1::text RETURNING retention_json(c) AS body
