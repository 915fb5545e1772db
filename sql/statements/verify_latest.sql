-- The newest reading of some series as PostgreSQL has it, for the check of the
-- hot tier. $1 int4[] series -> as verify_hours.sql
SELECT DISTINCT ON (series) series,
    (extract(epoch FROM ts) * 1000000)::int8 AS ts, value, quality,
    (extract(epoch FROM received_at) * 1000000)::int8 AS received_at
FROM (
	SELECT series, ts, value, quality, received_at, 0::int8 AS id,
	    0::int8 AS pos
	FROM series_latest WHERE series = ANY ($1::int4[])
	UNION ALL
	SELECT u.series, u.ts, u.value, u.quality, l.received_at, l.id, u.pos
	FROM ingest_log l CROSS JOIN LATERAL
	    unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, pos)
	WHERE u.series = ANY ($1)
) r
ORDER BY series, r.ts DESC, id, pos
