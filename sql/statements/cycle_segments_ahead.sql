-- $1 timestamptz now: this month and the next have a partition in each class
SELECT segments_ensure(c.id, $1::timestamptz),
    segments_ensure(c.id, date_trunc('month', $1, 'UTC') + interval '32 days')
FROM retention_classes c
