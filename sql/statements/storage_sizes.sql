-- What readings take on disk, by tier; bytes with TOAST and indexes.
-- -> tier, rows, readings they stand for, bytes, bytes per reading
WITH part AS (
	SELECT sum(pg_total_relation_size(inhrelid)) AS bytes
	FROM pg_inherits WHERE inhparent = 'segments'::regclass
), tier AS (
	SELECT 1 AS o, 'log' AS tier, count(*) AS rows,
	    sum(cardinality(series)) AS readings,
	    pg_total_relation_size('ingest_log') AS bytes
	FROM ingest_log
	UNION ALL
	SELECT 2, 'segments', count(*), sum(n), (SELECT bytes FROM part)
	FROM segments
	UNION ALL
	SELECT 3, 'segments, packed readings alone', count(*), sum(n),
	    sum(length(data))
	FROM segments
	UNION ALL
	SELECT 4, 'roll-ups, fresh', count(*), NULL,
	    pg_total_relation_size('rollups_fresh')
	FROM rollups_fresh
	UNION ALL
	SELECT 4, 'roll-ups, open', count(*), NULL,
	    pg_total_relation_size('rollups_open')
	FROM rollups_open
	UNION ALL
	SELECT 4, 'roll-ups, packed', count(*), NULL,
	    pg_total_relation_size('rollups_packed')
	FROM rollups_packed
	UNION ALL
	SELECT 4, 'roll-ups, packed, of ' || width_s || ' s, data alone',
	    count(*), NULL, sum(length(data))
	FROM rollups_packed GROUP BY width_s
	UNION ALL
	SELECT 5, 'latest values', count(*), NULL,
	    pg_total_relation_size('series_latest')
	FROM series_latest
	UNION ALL
	SELECT 6, 'detectors'' memory', count(*), NULL,
	    pg_total_relation_size('series_states')
	FROM series_states
)
SELECT tier, rows, coalesce(readings, 0) AS readings,
    coalesce(bytes, 0)::int8 AS bytes,
    round(bytes / nullif(readings, 0)::numeric, 2) AS bytes_per_reading
FROM tier ORDER BY o, tier
