-- $1 int4[] series, $2 timestamptz[] ts, $3 float8[] value, $4 int2[]
-- quality, $5 timestamptz[] received_at; an older one changes nothing
INSERT INTO series_latest AS l (series, ts, value, quality, received_at)
SELECT * FROM unnest($1::int4[], $2::timestamptz[], $3::float8[],
    $4::int2[], $5::timestamptz[])
ON CONFLICT (series) DO UPDATE SET ts = excluded.ts, value = excluded.value,
    quality = excluded.quality, received_at = excluded.received_at
WHERE excluded.ts > l.ts
