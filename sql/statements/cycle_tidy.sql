-- $1 int4 series id, $2 int8 most series, $3 timestamptz from, $4 to, within
-- one UTC month, $5 int8 most readings a series may have there: of the next
-- series after that id, segments that lie in [from, to), where there is more
-- than one. They are removed, to be stored as one.
-- -> series int4, class int2, packed readings, by series and time; the last
-- row has the newest id (NULL: no series left) and NULLs.
WITH ids AS MATERIALIZED (
	SELECT s.id, m.class FROM series s JOIN metrics m ON m.id = s.metric_id
	WHERE s.id > $1::int4 ORDER BY s.id LIMIT $2::int8),
many AS MATERIALIZED (
	SELECT g.series, g.class FROM ids, LATERAL (
		SELECT s.series, s.class, s.n FROM segments s
		WHERE s.series = ids.id AND s.class = ids.class
		    AND s.t0 >= $3::timestamptz AND s.t0 < $4::timestamptz
		    AND s.t1 < $4::timestamptz OFFSET 0) g
	GROUP BY g.series, g.class
	HAVING count(*) > 1 AND sum(g.n) <= $5::int8),
gone AS (
	DELETE FROM segments s USING many WHERE s.series = many.series
	    AND s.class = many.class
	    AND s.t0 >= $3::timestamptz AND s.t0 < $4::timestamptz
	    AND s.t1 < $4::timestamptz
	RETURNING s.series, s.class, s.t0, s.data)
SELECT series, class, data FROM (
	SELECT series, class, t0, data, false AS last FROM gone
	UNION ALL
	SELECT max(id), NULL, NULL, NULL, true FROM ids) r
ORDER BY last, series, t0
