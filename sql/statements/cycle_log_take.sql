-- $1 int8 id, $2 int8 most rows, $3 int8 enough readings, $4 int2[] shards,
-- NULL for all -> id, received_at, series[], ts[], value[], quality[] after
-- that id, until there are enough: rows differ in length by four orders of
-- magnitude
SELECT id, received_at, series, ts, value, quality
FROM (
	SELECT l.*, sum(cardinality(series)) OVER (ORDER BY id)
	    - cardinality(series) AS before
	FROM (SELECT * FROM ingest_log WHERE id > $1::int8
	    AND ($4::int2[] IS NULL OR shard = ANY ($4::int2[]))
	    ORDER BY id LIMIT $2::int8) l
) r
WHERE before < $3::int8
ORDER BY id
