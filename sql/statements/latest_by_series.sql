-- The newest reading of each series, merged or still in the log; of two at
-- the same time the first stays. $1 int4[] series
-- -> series int4, ts timestamptz, value float8, quality int2,
--    received_at timestamptz; no row for a series without any reading.
-- CASE keeps the membership a hashed look-up at any length of $1. Few series:
-- log rows that hold none of them are passed over unopened.
WITH want AS MATERIALIZED (
	SELECT unnest($1::int4[]) AS series
)
SELECT DISTINCT ON (series) series, ts, value, quality, received_at
FROM (
	SELECT series, ts, value, quality, received_at, 0::int8 AS id,
	    0 AS pos
	FROM series_latest WHERE series = ANY ($1::int4[])
	UNION ALL
	SELECT l.series, l.ts, l.value, l.quality, l.received_at, l.id, l.pos
	FROM (
		SELECT id, received_at, unnest(series) AS series,
		    unnest(ts) AS ts, unnest(value) AS value,
		    unnest(quality) AS quality,
		    generate_subscripts(ts, 1) AS pos
		FROM ingest_log
		WHERE CASE WHEN cardinality($1::int4[]) <= 8
		    THEN series && $1::int4[] ELSE true END
	) l
	WHERE CASE WHEN l.series IN (SELECT series FROM want)
	    THEN true ELSE false END
) r
ORDER BY series, ts DESC, id, pos
