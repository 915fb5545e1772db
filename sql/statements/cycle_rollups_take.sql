-- $1 int4 series id, $2 int8 most series; side by side $3 int4[] widths, $4
-- timestamptz[] begin of a span of that width, $5 timestamptz[] end, $6 int8[]
-- least: of the next series after that id, where it has so many fresh roll-ups
-- in [begin, end), these, and what is packed of the span. They are removed, to
-- be packed as one.
-- -> series int4, width_s int4, packed bytea or NULL, then bucket and the rest
--    of a fresh row, by series and width
WITH ids AS MATERIALIZED (
	SELECT id FROM series WHERE id > $1::int4 ORDER BY id LIMIT $2::int8),
due AS MATERIALIZED (
	SELECT i.id AS series, q.width_s, q.t0, q.t1
	FROM ids i CROSS JOIN unnest($3::int4[], $4::timestamptz[],
	    $5::timestamptz[], $6::int8[]) AS q(width_s, t0, t1, least),
	LATERAL (SELECT count(*) AS n FROM rollups_fresh r
	    WHERE r.series = i.id AND r.width_s = q.width_s
	        AND r.bucket >= q.t0 AND r.bucket < q.t1) c
	WHERE c.n >= q.least),
old AS (
	DELETE FROM rollups_packed p USING due d WHERE p.series = d.series
	    AND p.width_s = d.width_s AND p.t0 = d.t0
	RETURNING p.series, p.width_s, p.data),
fresh AS (
	DELETE FROM rollups_fresh r USING due d WHERE r.series = d.series
	    AND r.width_s = d.width_s AND r.bucket >= d.t0 AND r.bucket < d.t1
	RETURNING r.*)
SELECT series, width_s, NULL::bytea AS data, bucket, n, good, sum, min, max,
    sumsq, first_ts, first, last_ts, last
FROM fresh
UNION ALL
SELECT series, width_s, data, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL
FROM old
ORDER BY series, width_s
