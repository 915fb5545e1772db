-- The cold tier: what was archived, where each day's file lies, and how a
-- month of a retention class goes from segments to files and back.

-- Which database an archive belongs to: its manifests name it, so that two
-- databases never write over each other's files.
CREATE TABLE archive_home (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	id  uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO archive_home DEFAULT VALUES;

-- One partition of segments. writing: the segments answer, its files are being
-- written. verified: the files answer, the segments are still there, and no
-- reading is taken any more. dropped: only the files are there. restoring: the
-- files answer, segments are being made of them. restored: the segments answer
-- again. touched: the partition changed since the files were begun.
CREATE TABLE archives (
	id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	class       int2 NOT NULL REFERENCES retention_classes,
	from_ts     timestamptz NOT NULL,
	to_ts       timestamptz NOT NULL,
	state       text NOT NULL CHECK (state IN ('writing', 'verified',
	    'dropped', 'restoring', 'restored')),
	touched     boolean NOT NULL DEFAULT false,
	begun_at    timestamptz NOT NULL DEFAULT now(),
	verified_at timestamptz,
	dropped_at  timestamptz,
	restored_at timestamptz,
	CONSTRAINT archives_span_key UNIQUE (class, from_ts),
	CHECK (from_ts < to_ts)
);

-- header: the file's first bytes. blocks: 52 bytes each, in order: series,
-- time of the first reading (µs since 1970, sign bit turned) and offset, big
-- endian, so that bytes compare as numbers do; SHA-256 of the block. Not
-- compressed, so that a search reads a few slices of it.
CREATE TABLE archive_files (
	archive_id int NOT NULL REFERENCES archives,
	day        date NOT NULL,
	shard      int2 NOT NULL,
	path       text NOT NULL,
	readings   int8 NOT NULL,
	series     int8 NOT NULL,
	first_ts   timestamptz NOT NULL,
	last_ts    timestamptz NOT NULL,
	bytes      int8 NOT NULL,
	sha256     bytea NOT NULL CHECK (length(sha256) = 32),
	header     bytea NOT NULL,
	blocks     bytea NOT NULL CHECK (length(blocks) % 52 = 0),
	PRIMARY KEY (archive_id, day, shard)
);
ALTER TABLE archive_files ALTER blocks SET STORAGE EXTERNAL;

-- Workers hold the list of spans that only the archive answers.
CREATE FUNCTION archives_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('penstock_change', 'archives');
	RETURN NULL;
END $$;
CREATE TRIGGER archives_changed AFTER INSERT OR UPDATE OR DELETE ON archives
	FOR EACH STATEMENT EXECUTE FUNCTION archives_changed();

-- On the one partition that is being archived.
CREATE FUNCTION archive_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE archives SET touched = true
	WHERE id = TG_ARGV[0]::int AND NOT touched;
	RETURN NULL;
END $$;

-- The partition of a class that t lies in, as segments_ensure() makes it.
CREATE FUNCTION segments_span(class int2, t timestamptz, OUT part text,
    OUT lo timestamptz, OUT hi timestamptz)
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	hi := '1990-01-01 00:00:00+00';
	IF t < hi THEN
		lo := '0001-01-01 00:00:00+00';
		part := format('segments_%s_old', class);
	ELSE
		lo := date_trunc('month', t, 'UTC');
		hi := date_trunc('month', lo + interval '32 days', 'UTC');
		part := format('segments_%s_%s', class,
		    to_char(lo AT TIME ZONE 'UTC', 'YYYYMM'));
	END IF;
END $$;

-- The partitions that hold anything.
CREATE FUNCTION archive_partitions()
RETURNS TABLE(class int2, lo timestamptz, hi timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	leaf regclass;
	t    timestamptz;
BEGIN
	FOR leaf IN SELECT p.relid FROM pg_partition_tree('segments') p
	    WHERE p.isleaf
	LOOP
		t := NULL;
		EXECUTE format('SELECT g.class, g.t0 FROM %s g LIMIT 1', leaf)
		    INTO class, t;
		IF t IS NOT NULL THEN
			SELECT s.lo, s.hi INTO lo, hi
			FROM segments_span(class, t) s;
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;

-- Takes up the archive of a partition, from nothing or anew. From here on a
-- change of the partition is seen. Short: it waits for who holds the partition
-- no longer than the lock_timeout.
CREATE FUNCTION archive_begin(wanted int2, t timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	s  record;
	a  archives;
	id int;
BEGIN
	PERFORM segments_lock();
	SELECT * INTO s FROM segments_span(wanted, t);
	SELECT * INTO a FROM archives
	WHERE class = wanted AND from_ts = s.lo FOR UPDATE;
	IF a.state IN ('dropped', 'restoring') THEN
		PERFORM refuse(409, format('%s holds readings of a span that '
		    'is archived already: restore it first', s.part));
	END IF;
	DELETE FROM archive_files f WHERE f.archive_id = a.id;
	INSERT INTO archives AS r (class, from_ts, to_ts, state)
	VALUES (wanted, s.lo, s.hi, 'writing')
	ON CONFLICT ON CONSTRAINT archives_span_key DO UPDATE SET
	    state = 'writing', touched = false, begun_at = now(),
	    verified_at = NULL, dropped_at = NULL
	RETURNING r.id INTO id;
	EXECUTE format('DROP TRIGGER IF EXISTS archive_touch ON %I', s.part);
	EXECUTE format('CREATE TRIGGER archive_touch '
	    'AFTER INSERT OR UPDATE OR DELETE ON %I '
	    'FOR EACH ROW EXECUTE FUNCTION archive_touch(%L)', s.part, id);
	RETURN id;
END $$;

-- The files are proven: they answer from now on. False: begin anew, the
-- partition changed meanwhile.
CREATE FUNCTION archive_seal(wanted int) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segments_lock();
	UPDATE archives SET state = 'verified', verified_at = now()
	WHERE id = wanted AND state = 'writing' AND NOT touched;
	RETURN FOUND;
END $$;

-- Drops the partition of a verified archive: 'dropped'; or says why not:
-- 'touched' (it changed; the archive must be begun anew), 'logged' (the log
-- holds readings of the span; once the loop has merged them it is touched).
-- Imports write under the same lock, so none is half way.
CREATE FUNCTION archive_drop(wanted int) RETURNS text
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
	ELSIF EXISTS (SELECT FROM ingest_log l,
	    unnest(l.series, l.ts) AS u(series, ts)
	    JOIN series s ON s.id = u.series
	    JOIN metrics m ON m.id = s.metric_id
	    WHERE l.max_ts >= a.from_ts AND l.min_ts < a.to_ts
	        AND u.ts >= a.from_ts AND u.ts < a.to_ts
	        AND m.class = a.class) THEN
		RETURN 'logged';
	END IF;
	part := (segments_span(a.class, a.from_ts)).part;
	EXECUTE format('ALTER TABLE segments DETACH PARTITION %I', part);
	EXECUTE format('DROP TABLE %I', part);
	UPDATE archives SET state = 'dropped', dropped_at = now()
	WHERE id = wanted;
	RETURN 'dropped';
END $$;

-- A table for the readings of a dropped span, not yet part of segments.
CREATE FUNCTION archive_restore_begin(wanted int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a archives;
BEGIN
	SELECT * INTO a FROM archives WHERE id = wanted FOR UPDATE;
	IF a.state NOT IN ('dropped', 'restoring') THEN
		PERFORM refuse(409, format('archive %s is %s, not dropped',
		    a.id, a.state));
	END IF;
	UPDATE archives SET state = 'restoring' WHERE id = wanted;
	DROP TABLE IF EXISTS segments_restored;
	CREATE TABLE segments_restored (LIKE segments INCLUDING ALL);
	-- Spares the attaching a look at every row.
	EXECUTE format('ALTER TABLE segments_restored ADD CONSTRAINT span '
	    'CHECK (class = %L::int2 AND t0 >= %L AND t0 < %L)', a.class,
	    CASE WHEN a.to_ts = '1990-01-01 00:00:00+00' THEN '-infinity'
	    ELSE a.from_ts END, a.to_ts);
END $$;

-- The roll-ups of a series' whole days, summed again from segments.
CREATE FUNCTION rollups_again(wanted int, since timestamptz,
    until timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segments_lock();
	DELETE FROM rollups WHERE series = wanted
	    AND width_s = ANY ('{300,3600,86400}') AND bucket >= since
	    AND bucket < until;
	INSERT INTO rollups (series, width_s, bucket, n, good, sum, min, max,
	    sumsq, first_ts, first, last_ts, last)
	SELECT wanted, w, to_timestamp(floor(extract(epoch FROM u.ts) / w) * w),
	    count(*), count(*) FILTER (WHERE u.quality = 0),
	    coalesce(sum(u.value) FILTER (WHERE u.quality = 0), 0),
	    coalesce(min(u.value) FILTER (WHERE u.quality = 0), 'infinity'),
	    coalesce(max(u.value) FILTER (WHERE u.quality = 0), '-infinity'),
	    coalesce(sum(u.value ^ 2) FILTER (WHERE u.quality = 0), 0),
	    min(u.ts), (array_agg(u.value ORDER BY u.ts))[1],
	    max(u.ts), (array_agg(u.value ORDER BY u.ts DESC))[1]
	FROM segments g
	CROSS JOIN LATERAL packed_readings(g.data) u
	CROSS JOIN unnest('{300,3600,86400}'::int[]) w
	WHERE g.series = wanted AND g.class = (SELECT m.class FROM series s
	        JOIN metrics m ON m.id = s.metric_id WHERE s.id = wanted)
	    AND g.t0 >= date_trunc('month', since, 'UTC') AND g.t0 < until
	    AND g.t1 >= since AND u.ts >= since AND u.ts < until
	GROUP BY 2, 3;
END $$;

-- Readings that were merged after their span was dropped, because a worker had
-- not heard of it: those that the archive has are dropped, the others become
-- rows beside its own. Either were added to the roll-ups. Right, not fast.
CREATE FUNCTION archive_take_strays() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO segments (series, class, t0, t1, n, data)
	SELECT g.series, g.class, min(u.ts), max(u.ts), count(*),
	    packed_from(array_agg(u.ts ORDER BY u.ts),
	        array_agg(u.value ORDER BY u.ts),
	        array_agg(u.quality ORDER BY u.ts),
	        array_agg(u.received_at ORDER BY u.ts))
	FROM segments_strayed g
	CROSS JOIN LATERAL packed_readings(g.data) u
	WHERE NOT EXISTS (SELECT FROM segments k
	    CROSS JOIN LATERAL packed_readings(k.data) v
	    WHERE k.series = g.series AND k.class = g.class
	        AND k.t0 >= date_trunc('month', u.ts, 'UTC')
	        AND k.t0 <= u.ts AND k.t1 >= u.ts AND v.ts = u.ts)
	GROUP BY g.series, g.class, date_trunc('day', u.ts, 'UTC');
	PERFORM rollups_again(d.series, d.day, d.day + interval '24 hours')
	FROM (SELECT DISTINCT g.series, date_trunc('day', u.ts, 'UTC') AS day
	    FROM segments_strayed g
	    CROSS JOIN LATERAL packed_readings(g.data) u) d;
	DROP TABLE segments_strayed;
END $$;

CREATE FUNCTION archive_restore_end(wanted int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a      archives;
	s      record;
	strays boolean;
BEGIN
	PERFORM segments_lock();
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

-- The first 12 bytes of block i of a file, counted from 0.
CREATE FUNCTION archive_block(archive int, wanted date, i int) RETURNS bytea
LANGUAGE sql STABLE AS $$
	SELECT substr(blocks, 52 * i + 1, 12) FROM archive_files
	WHERE archive_id = archive AND day = wanted AND shard = 0
$$;

-- Where the blocks lie that may hold readings of a series from t to t_end, in
-- the first file that may hold any: those that begin from `since` on (its
-- block's first bytes, 12 of them) and before `until`, at most `most`, and
-- then the one behind them, if there is one. The file says nothing of times
-- from whole_to on. No row: t is not archived. A NULL path: there are none.
CREATE FUNCTION archive_locate(wanted int, t timestamptz, t_end timestamptz,
    since bytea, until bytea, most int)
RETURNS TABLE(class text, day date, path text, bytes int8, header bytea,
    blocks bytea, whole_to timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	a  archives;
	f  record;
	lo int := 0; -- blocks below it begin at or before `since`
	hi int;
	k  int;
BEGIN
	SELECT r.* INTO a FROM series s
	JOIN metrics m ON m.id = s.metric_id
	JOIN archives r ON r.class = m.class
	WHERE s.id = wanted AND r.from_ts <= t AND r.to_ts > t
	    AND r.state IN ('verified', 'dropped', 'restoring');
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT c.code INTO class FROM retention_classes c WHERE c.id = a.class;
	whole_to := least(a.to_ts, t_end);
	SELECT g.day, g.path, g.bytes, g.header, length(g.blocks) / 52 AS n,
	    (g.day + 1)::timestamp AT TIME ZONE 'UTC' AS over
	INTO f FROM archive_files g
	WHERE g.archive_id = a.id AND g.shard = 0 AND g.last_ts >= t
	    AND g.first_ts < t_end
	ORDER BY g.day LIMIT 1;
	IF NOT FOUND THEN
		RETURN NEXT;
		RETURN;
	END IF;
	whole_to := least(f.over, whole_to);
	hi := f.n;
	WHILE lo < hi LOOP
		k := (lo + hi) / 2;
		IF archive_block(a.id, f.day, k) <= since THEN
			lo := k + 1;
		ELSE
			hi := k;
		END IF;
	END LOOP;
	-- The block before may end with what is looked for.
	lo := greatest(lo - 1, 0);
	k := lo;
	WHILE k < f.n AND k - lo < most
	    AND archive_block(a.id, f.day, k) < until LOOP
		k := k + 1;
	END LOOP;
	IF k > lo THEN
		day := f.day;
		path := f.path;
		bytes := f.bytes;
		header := f.header;
		SELECT substr(g.blocks, 52 * lo + 1, 52 * (k + 1 - lo))
		INTO blocks FROM archive_files g
		WHERE g.archive_id = a.id AND g.day = f.day AND g.shard = 0;
	END IF;
	RETURN NEXT;
END $$;

-- What the API shows.
CREATE FUNCTION archive_json(a archives) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', a.id, 'class', c.code,
	    'from', rfc3339(a.from_ts), 'to', rfc3339(a.to_ts),
	    'state', a.state, 'files', count(f.*),
	    'readings', coalesce(sum(f.readings), 0),
	    'bytes', coalesce(sum(f.bytes), 0), 'begun_at', rfc3339(a.begun_at),
	    'verified_at', rfc3339(a.verified_at),
	    'dropped_at', rfc3339(a.dropped_at),
	    'restored_at', rfc3339(a.restored_at))
	FROM retention_classes c
	LEFT JOIN archive_files f ON f.archive_id = a.id
	WHERE c.id = a.class GROUP BY c.id);
END $$;

CREATE FUNCTION retention_json(c retention_classes) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('class', c.code,
	    'keep_days', c.keep_days, 'metrics',
	    coalesce(json_agg(m.code ORDER BY m.code), '[]'))
	FROM metrics m WHERE m.class = c.id);
END $$;
