-- Say how long a class is kept. $1 class, $2 body jsonb (keep_days, null: for
-- ever) -> body json
UPDATE retention_classes c SET keep_days = ($2::jsonb->>'keep_days')::int
WHERE c.code = $1::text AND ($2::jsonb ? 'keep_days' OR refuse(422,
    'keep_days is missing: a number of days, or null for ever',
    '/keep_days') IS NULL)
RETURNING retention_json(c) AS body
