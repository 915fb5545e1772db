-- One archive with its files. $1 id -> body json
SELECT (archive_json(a)::jsonb || jsonb_build_object('days',
    (SELECT coalesce(jsonb_agg(jsonb_build_object('day', f.day,
        'shard', f.shard, 'path', f.path, 'readings', f.readings,
        'series', f.series, 'bytes', f.bytes,
        'sha256', encode(f.sha256, 'hex')) ORDER BY f.day, f.shard), '[]')
    FROM archive_files f WHERE f.archive_id = a.id)))::json AS body
FROM archives a WHERE a.id = $1::int8
