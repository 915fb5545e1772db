-- $1 int4 series id, $2 int8 most series, $3 timestamptz from, $4 to, within
-- one UTC day: of the next series after that id, segments that lie in
-- [from, to) become one. No reading is added, changed or lost.
-- -> newest id int4 (NULL: no series left), segments joined int8
WITH ids AS (
	SELECT id FROM series WHERE id > $1::int4 ORDER BY id LIMIT $2::int8),
many AS (
	SELECT g.series FROM ids, LATERAL (
		SELECT s.series FROM segments s WHERE s.series = ids.id
		    AND s.t0 >= $3::timestamptz AND s.t0 < $4::timestamptz
		    AND s.t1 < $4::timestamptz OFFSET 0) g
	GROUP BY g.series HAVING count(*) > 1),
gone AS (
	DELETE FROM segments s USING many WHERE s.series = many.series
	    AND s.t0 >= $3::timestamptz AND s.t0 < $4::timestamptz
	    AND s.t1 < $4::timestamptz
	RETURNING s.series, s.ts, s.value, s.quality, s.received),
joined AS (
	INSERT INTO segments (series, t0, t1, n, ts, value, quality, received)
	SELECT g.series, min(u.ts), max(u.ts), count(*),
	    array_agg(u.ts ORDER BY u.ts), array_agg(u.value ORDER BY u.ts),
	    array_agg(u.quality ORDER BY u.ts),
	    array_agg(u.received ORDER BY u.ts)
	FROM gone g, unnest(g.ts, g.value, g.quality, g.received)
	    AS u(ts, value, quality, received)
	GROUP BY g.series)
SELECT (SELECT max(id) FROM ids), (SELECT count(*) FROM gone)
