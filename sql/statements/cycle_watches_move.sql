-- $1 int4[] series, $2 bytea[] tail, $3 int4[] open, $4 int4[] calm,
-- $5 timestamptz[] since
UPDATE watch_states w SET tail = g.tail, open = g.open, calm = g.calm,
    since = g.since
FROM unnest($1::int4[], $2::bytea[], $3::int4[], $4::int4[],
    $5::timestamptz[]) AS g(series, tail, open, calm, since)
WHERE w.series = g.series
