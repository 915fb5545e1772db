-- $1 int4[] series, $2 timestamptz[] ts, side by side; $3 int8[] rows of the
-- log -> series, ts, value of those that are in these rows, the last logged
-- first. OFFSET 0 keeps the keys the side that is hashed: they are fewer.
SELECT l.series, l.ts, l.value
FROM (
	SELECT g.id, unnest(g.series) AS series, unnest(g.ts) AS ts,
	    unnest(g.value) AS value, generate_subscripts(g.ts, 1) AS pos
	FROM ingest_log g JOIN unnest($3::int8[]) AS r(id) USING (id)
	OFFSET 0
) l
JOIN unnest($1::int4[], $2::timestamptz[]) AS k(series, ts)
    ON k.series = l.series AND k.ts = l.ts
ORDER BY l.id DESC, l.pos DESC
