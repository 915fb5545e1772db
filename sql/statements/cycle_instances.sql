-- Says that this instance lives: an advisory lock of the loop's connection
-- and a row. Rows whose lock is gone are those of instances that ended: each
-- is removed once and told to all, for it may have died between a commit and
-- its write to Redis. $1 int4 this instance's number, $2 text its name
-- -> others int8, ended int8
WITH held AS MATERIALIZED (
	SELECT l.objid::int8::int4 AS id FROM pg_locks l
	WHERE l.locktype = 'advisory' AND l.classid = 73058044
	    AND l.objsubid = 2 AND l.granted AND l.database =
		(SELECT oid FROM pg_database WHERE datname = current_database())
), mine AS MATERIALIZED (
	SELECT CASE WHEN NOT EXISTS (SELECT FROM held WHERE id = $1::int4)
	    THEN pg_try_advisory_lock(73058044, $1::int4) END
), entered AS (
	INSERT INTO instances (id, name) SELECT $1::int4, $2::text FROM mine
	ON CONFLICT (id) DO NOTHING
), gone AS (
	DELETE FROM instances WHERE id <> $1::int4
	    AND id NOT IN (SELECT id FROM held) RETURNING id
)
SELECT (SELECT count(*) FROM held WHERE id <> $1::int4),
    (SELECT count(pg_notify('penstock_change', 'instances')) FROM gone)
