-- $1 int4[] series -> series int4, ts timestamptz, value float8, quality int2,
-- received_at timestamptz: as far as they were merged, rising by series
SELECT series, ts, value, quality, received_at FROM series_latest
WHERE series = ANY ($1::int4[]) ORDER BY series
