-- $1 int4[] series, $2 timestamptz[] ts, $3, $4 timestamptz first and last of
-- them -> series, ts, value of those that are in the log, the last logged first
SELECT u.series, u.ts, u.value
FROM ingest_log l, unnest(l.series, l.ts, l.value)
    WITH ORDINALITY AS u(series, ts, value, ord)
JOIN unnest($1::int4[], $2::timestamptz[]) AS k(series, ts)
    ON k.series = u.series AND k.ts = u.ts
WHERE l.max_ts >= $3::timestamptz AND l.min_ts <= $4::timestamptz
ORDER BY l.id DESC, u.ord DESC
