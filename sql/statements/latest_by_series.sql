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
	    0::int8 AS pos
	FROM series_latest WHERE series = ANY ($1::int4[])
	UNION ALL
	SELECT u.series, u.ts, u.value, u.quality, l.received_at, l.id, u.pos
	FROM (
		SELECT * FROM ingest_log
		WHERE CASE WHEN cardinality($1::int4[]) <= 8
		    THEN series && $1::int4[] ELSE true END
		OFFSET 0
	) l CROSS JOIN LATERAL unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, pos)
	WHERE CASE WHEN u.series IN (SELECT series FROM want)
	    THEN true ELSE false END
) r
ORDER BY series, ts DESC, id, pos
