-- From its seal on a span takes no reading, whatever a worker has heard: the
-- log refuses what is of it. Until now such a reading was merged into a span
-- that only the files answer, and not seen until somebody restored it.
UPDATE archives SET state = 'writing' WHERE state = 'verified';

-- log_split() of readings some of which are so old that their span may be
-- archived. Each look takes its snapshot after the lock on ingest_log, so it
-- sees whatever archive_seal() did before.
CREATE FUNCTION log_late(timestamptz, timestamptz, timestamptz, int4[],
    timestamptz[], float8[], int2[]) RETURNS TABLE (shard int2,
    received_at timestamptz, min_ts timestamptz, max_ts timestamptz,
    series int4[], ts timestamptz[], value float8[], quality int2[])
LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM archives a
	    WHERE a.state IN ('verified', 'dropped', 'restoring')
	        AND a.from_ts <= $3 AND a.to_ts > $2 AND EXISTS (
	        SELECT FROM unnest($4, $5) AS u(id, at)
	        JOIN series s ON s.id = u.id
	        JOIN metrics m ON m.id = s.metric_id
	        WHERE m.class = a.class AND u.at >= a.from_ts
	            AND u.at < a.to_ts)) THEN
		PERFORM refuse(503, 'a span was archived meanwhile; send it '
		    'again');
	END IF;
	IF (SELECT s.n FROM shards s) = 1 THEN
		RETURN QUERY SELECT 0::int2, $1, $2, $3, $4, $5, $6, $7;
	ELSE
		RETURN QUERY
		SELECT * FROM log_split($1, $2, $3, $4, $5, $6, $7);
	END IF;
END $$;

-- Whether the log holds readings of the archive's span.
CREATE FUNCTION archive_logged(a archives) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	RETURN EXISTS (SELECT FROM ingest_log l,
	    unnest(l.series, l.ts) AS u(series, ts)
	    JOIN series s ON s.id = u.series
	    JOIN metrics m ON m.id = s.metric_id
	    WHERE l.max_ts >= a.from_ts AND l.min_ts < a.to_ts
	        AND u.ts >= a.from_ts AND u.ts < a.to_ts
	        AND m.class = a.class);
END $$;

-- The files are proven: they answer from now on, 'verified'; or says why not:
-- 'touched' (the partition changed; begin anew), 'logged' (the log holds
-- readings of the span; once the loop has merged them it is touched). Writers
-- of the log are shut out while it is looked at, so each has either been seen
-- or sees the seal; imports look at it under segments_lock().
DROP FUNCTION archive_seal(int);
CREATE FUNCTION archive_seal(wanted int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a archives;
BEGIN
	SELECT * INTO a FROM archives WHERE id = wanted;
	IF archive_logged(a) THEN
		RETURN 'logged';
	END IF;
	PERFORM segments_lock();
	SELECT * INTO a FROM archives WHERE id = wanted FOR UPDATE;
	IF a.touched OR a.state <> 'writing' THEN
		RETURN 'touched';
	END IF;
	PERFORM set_config('lock_timeout', '250ms', true);
	LOCK TABLE ingest_log IN SHARE MODE;
	IF archive_logged(a) THEN
		RETURN 'logged';
	END IF;
	UPDATE archives SET state = 'verified', verified_at = now()
	WHERE id = wanted;
	RETURN 'verified';
END $$;

-- Drops the partition of a verified archive: 'dropped', or 'touched': it
-- changed, the archive must be begun anew. Readers of segments queue behind
-- this while it waits for those before it: so it does not wait long.
CREATE OR REPLACE FUNCTION archive_drop(wanted int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	a    archives;
	part text;
BEGIN
	PERFORM segments_lock();
	SELECT * INTO a FROM archives WHERE id = wanted FOR UPDATE;
	IF a.state = 'dropped' THEN
		RETURN 'dropped';
	ELSIF a.touched OR a.state <> 'verified' THEN
		UPDATE archives SET state = 'writing' WHERE id = wanted;
		RETURN 'touched';
	END IF;
	part := (segments_span(a.class, a.from_ts)).part;
	PERFORM set_config('lock_timeout', '250ms', true);
	EXECUTE format('ALTER TABLE segments DETACH PARTITION %I', part);
	EXECUTE format('DROP TABLE %I', part);
	UPDATE archives SET state = 'dropped', dropped_at = now()
	WHERE id = wanted;
	RETURN 'dropped';
END $$;

-- As before, but holds up nobody for long.
CREATE OR REPLACE FUNCTION archive_restore_end(wanted int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a      archives;
	s      record;
	strays boolean;
BEGIN
	PERFORM segments_lock();
	PERFORM set_config('lock_timeout', '250ms', true);
	SELECT * INTO a FROM archives WHERE id = wanted FOR UPDATE;
	SELECT * INTO s FROM segments_span(a.class, a.from_ts);
	strays := to_regclass(s.part) IS NOT NULL;
	IF strays THEN
		EXECUTE format('ALTER TABLE segments DETACH PARTITION %I',
		    s.part);
		EXECUTE format('ALTER TABLE %I RENAME TO segments_strayed',
		    s.part);
		EXECUTE format('ALTER INDEX IF EXISTS %I '
		    'RENAME TO segments_strayed_pkey', s.part || '_pkey');
	END IF;
	EXECUTE format('ALTER TABLE segments_restored RENAME TO %I', s.part);
	EXECUTE format('ALTER INDEX segments_restored_pkey RENAME TO %I',
	    s.part || '_pkey');
	EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I FOR VALUES '
	    'FROM (%s, %s) TO (%s, %L)', s.part, a.class,
	    CASE WHEN s.part LIKE '%\_old' THEN 'MINVALUE'
	    ELSE quote_literal(s.lo) END, a.class, s.hi);
	EXECUTE format('ALTER TABLE %I DROP CONSTRAINT span', s.part);
	IF strays THEN
		PERFORM archive_take_strays();
	END IF;
	UPDATE archives SET state = 'restored', restored_at = now()
	WHERE id = wanted;
END $$;
