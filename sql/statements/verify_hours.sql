-- Readings of some series since a time as PostgreSQL has them, unpacked by
-- its own function, for the check of the hot tier. $1 int4[] series,
-- $2 int8 since, µs since 1970
-- -> series, ts (µs since 1970), value, quality, received_at (µs since 1970)
-- by series and time; of two at one time the first: merged before logged, and
-- the log in its order.
WITH since AS MATERIALIZED (
	SELECT timestamptz 'epoch' + interval '1 microsecond' * $2::int8 AS t
), stored AS (
	SELECT g.series, u.ts, u.value, u.quality, u.received_at,
	    0::int8 AS id, 0::int8 AS pos
	FROM since CROSS JOIN unnest($1::int4[]) AS s(id)
	CROSS JOIN LATERAL (
		SELECT g.series, g.data FROM segments g
		WHERE g.series = s.id AND g.t1 >= since.t
		    AND g.t0 >= date_trunc('month', since.t, 'UTC')
		OFFSET 0
	) g CROSS JOIN LATERAL packed_readings(g.data) u
	UNION ALL
	SELECT u.series, u.ts, u.value, u.quality, l.received_at, l.id, u.pos
	FROM since CROSS JOIN ingest_log l
	CROSS JOIN LATERAL unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, pos)
	WHERE l.max_ts >= since.t AND u.series = ANY ($1)
)
SELECT DISTINCT ON (series, ts) series,
    (extract(epoch FROM ts) * 1000000)::int8 AS ts, value, quality,
    (extract(epoch FROM received_at) * 1000000)::int8 AS received_at
FROM stored, since WHERE ts >= since.t
ORDER BY series, ts, id, pos
