-- The newest reading of each series, merged or still in the log; of two at
-- the same time the first stays. $1 int4[] series
-- -> series int4, ts timestamptz, value float8, quality int2,
--    received_at timestamptz; no row for a series without any reading.
-- Few series: log rows without any of them are passed over unopened.
SELECT DISTINCT ON (series) series, ts, value, quality, received_at
FROM (
	SELECT series, ts, value, quality, received_at, 0::int8 AS id,
	    0::int8 AS pos
	FROM series_latest WHERE series = ANY ($1::int4[])
	UNION ALL
	SELECT u.series, u.ts, u.value, u.quality, l.received_at, l.id, u.pos
	FROM ingest_log l, unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, pos)
	WHERE u.series = ANY ($1::int4[])
	    AND CASE WHEN cardinality($1::int4[]) <= 8
	    THEN l.series && $1::int4[] ELSE true END
) r
ORDER BY series, ts DESC, id, pos
