-- The newest reading of each series, merged or still in the log; of two at
-- the same time the first stays. $1 int4[] series
-- -> series int4, ts timestamptz, value float8, quality int2,
--    received_at timestamptz; no row for a series without any reading.
-- Few series: their few readings are picked out of a log row by place (where
-- they are many the row is unpacked, as each pick decompresses it again).
-- Many: each row is unpacked once; CASE keeps the membership a hashed look-up
-- at any length of $1.
WITH want AS MATERIALIZED (
	SELECT unnest($1::int4[]) AS series
)
SELECT DISTINCT ON (series) series, ts, value, quality, received_at
FROM (
	SELECT series, ts, value, quality, received_at, 0::int8 AS id,
	    0 AS pos
	FROM series_latest WHERE series = ANY ($1::int4[])
	UNION ALL
	SELECT h.wanted, u.ts, u.value, u.quality, h.received_at, h.id, u.pos
	FROM (
		SELECT l.*, w.series AS wanted,
		    array_positions(l.series, w.series) AS at
		FROM ingest_log l, unnest($1::int4[]) AS w(series)
		WHERE cardinality($1::int4[]) <= 8 AND l.series && $1::int4[]
		OFFSET 0
	) h CROSS JOIN LATERAL (
		SELECT pos, h.ts[pos] AS ts, h.value[pos] AS value,
		    h.quality[pos] AS quality
		FROM unnest(h.at) AS pos WHERE cardinality(h.at) <= 8
		UNION ALL
		SELECT a.pos, a.ts, a.value, a.quality
		FROM unnest(h.series, h.ts, h.value, h.quality)
		    WITH ORDINALITY AS a(series, ts, value, quality, pos)
		WHERE cardinality(h.at) > 8 AND a.series = h.wanted
	) u
	UNION ALL
	SELECT l.wanted, l.ts[l.pos], l.value[l.pos], l.quality[l.pos],
	    l.received_at, l.id, l.pos
	FROM (
		SELECT g.*, unnest(g.series) AS wanted,
		    generate_subscripts(g.series, 1) AS pos
		FROM (
			SELECT id, received_at, series, ts || '{}' AS ts,
			    value || '{}'::float8[] AS value,
			    quality || '{}'::int2[] AS quality
			FROM ingest_log WHERE cardinality($1::int4[]) > 8
			OFFSET 0
		) g
		OFFSET 0
	) l
	WHERE CASE WHEN l.wanted IN (SELECT series FROM want)
	    THEN true ELSE false END
) r
ORDER BY series, ts DESC, id, pos
