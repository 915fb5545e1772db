-- The files of an archive, by day. $1 archive int4 -> day's begin, shard int4,
-- path, readings int8, series int8, first, last, bytes int8, sha256
SELECT day::timestamp AT TIME ZONE 'UTC', shard::int4, path, readings, series,
    first_ts, last_ts, bytes, sha256
FROM archive_files WHERE archive_id = $1::int4 ORDER BY day, shard
