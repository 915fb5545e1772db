-- The instances of the service that are running, one row each. A row is as
-- good as the advisory lock (73058044, id) of its instance's loop connection;
-- any other finds and removes the row of one that has ended.
CREATE TABLE instances (
	id         int4 PRIMARY KEY, -- drawn at random at its start
	name       text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT now()
);

-- How many shards the log has: the readings of a series are in those rows
-- whose shard is the series' number modulo n. Loops share them out by the
-- advisory locks (73058045, shard).
CREATE TABLE shards (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	n   int2 NOT NULL DEFAULT 1 CHECK (n BETWEEN 1 AND 64)
);
INSERT INTO shards DEFAULT VALUES;
ALTER TABLE ingest_log ADD shard int2 NOT NULL DEFAULT 0;

-- Log rows of one shard each from the readings of one or more, in the order
-- in which they came.
CREATE FUNCTION log_split(timestamptz, timestamptz, timestamptz, int4[],
    timestamptz[], float8[], int2[]) RETURNS TABLE (shard int2, received_at timestamptz,
    min_ts timestamptz, max_ts timestamptz, series int4[], ts timestamptz[],
    value float8[], quality int2[])
LANGUAGE sql STABLE AS $$
	SELECT (u.series % s.n)::int2, $1, $2, $3,
	    array_agg(u.series ORDER BY u.ord), array_agg(u.ts ORDER BY u.ord),
	    array_agg(u.value ORDER BY u.ord),
	    array_agg(u.quality ORDER BY u.ord)
	FROM shards s, unnest($4, $5, $6, $7)
	    WITH ORDINALITY AS u(series, ts, value, quality, ord)
	GROUP BY u.series % s.n
$$;

-- Changes the number of shards while no instance runs.
CREATE FUNCTION shards_set(wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	last bigint;
BEGIN
	LOCK TABLE ingest_log IN EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM pg_locks l JOIN pg_database d
	    ON d.oid = l.database WHERE d.datname = current_database()
	    AND l.locktype = 'advisory' AND l.objsubid = 2
	    AND l.classid = 73058044) THEN
		RAISE EXCEPTION 'stop every instance before the number of '
		    'shards is changed';
	END IF;
	UPDATE shards SET n = wanted;
	SELECT max(id) INTO last FROM ingest_log;
	INSERT INTO ingest_log (shard, received_at, min_ts, max_ts, series, ts,
	    value, quality)
	SELECT p.* FROM (SELECT * FROM ingest_log ORDER BY id) l,
	    log_split(l.received_at, l.min_ts, l.max_ts, l.series, l.ts,
		l.value, l.quality) p
	ORDER BY l.id;
	DELETE FROM ingest_log WHERE id <= last;
END $$;
