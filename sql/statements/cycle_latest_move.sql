-- $1 series_latest[]; an older one changes nothing, and a series that has none
-- yet is for cycle_latest_put. As many rows are updated as were older.
UPDATE series_latest AS l SET ts = e.ts, value = e.value, quality = e.quality,
    received_at = e.received_at
FROM unnest($1::series_latest[]) AS e
WHERE l.series = e.series AND e.ts > l.ts
