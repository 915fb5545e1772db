-- $1 series_latest[]; an older one changes nothing
INSERT INTO series_latest AS l (series, ts, value, quality, received_at)
SELECT * FROM unnest($1::series_latest[])
ON CONFLICT (series) DO UPDATE SET ts = excluded.ts, value = excluded.value,
    quality = excluded.quality, received_at = excluded.received_at
WHERE excluded.ts > l.ts
