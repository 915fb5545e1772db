-- The shards of the log and the loops that own them, a bit each.
-- -> shards int4, mine int8, others' int8
SELECT s.n::int4,
    coalesce(bit_or(1::int8 << l.objid::int8::int)
	FILTER (WHERE l.pid = pg_backend_pid()), 0),
    coalesce(bit_or(1::int8 << l.objid::int8::int)
	FILTER (WHERE l.pid <> pg_backend_pid()), 0)
FROM shards s
LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.classid = 73058045
    AND l.objsubid = 2 AND l.granted AND l.objid::int8 < s.n AND l.database =
	(SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY s.n
