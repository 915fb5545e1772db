-- Merged readings of some series since a time, as they are stored: rows of
-- segments that may hold any. $1 int4[] series, $2 timestamptz since
-- -> series int4, data bytea. Binary.
-- A row never leaves its UTC month.
SELECT g.series, g.data
FROM unnest($1::int4[]) AS s(id)
CROSS JOIN LATERAL (
	SELECT g.series, g.data FROM segments g
	WHERE g.series = s.id AND g.t1 >= $2::timestamptz
	    AND g.t0 >= date_trunc('month', $2::timestamptz, 'UTC')
	OFFSET 0
) g
