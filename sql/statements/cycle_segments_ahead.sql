-- $1 timestamptz now: what is to have a partition: this month and the next, in
-- each class -> class int2, timestamptz in the month
SELECT c.id, m.t
FROM retention_classes c, (VALUES ($1::timestamptz),
    (date_trunc('month', $1, 'UTC') + interval '32 days')) AS m(t)
