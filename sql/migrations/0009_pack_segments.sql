-- How long readings are kept, by class of metric; NULL is for ever.
CREATE TABLE retention_classes (
	id        int2 PRIMARY KEY,
	code      text NOT NULL CONSTRAINT retention_classes_code_key UNIQUE,
	keep_days int CHECK (keep_days > 0)
);
INSERT INTO retention_classes VALUES
	(1, 'operational', NULL), (2, 'quality', NULL), (3, 'billing', NULL);

ALTER TABLE metrics
    ADD class int2 NOT NULL DEFAULT 1 REFERENCES retention_classes;
UPDATE metrics SET class = 3 WHERE kind = 'total';
UPDATE metrics SET class = 2 WHERE code IN ('ph', 'chlorine', 'turbidity',
    'conductivity', 'redox', 'temperature');

-- Readings are found by their class: it stands once a series has the metric.
CREATE FUNCTION metrics_class_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.class <> OLD.class AND EXISTS (
	    SELECT FROM series WHERE metric_id = NEW.id) THEN
		PERFORM refuse(409, 'the metric has series: its class stands');
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER metrics_class_stands BEFORE UPDATE OF class ON metrics
	FOR EACH ROW EXECUTE FUNCTION metrics_class_stands();

-- The packed form of readings, as src/domain/packed.h has it; the bytes are
-- described in src/domain/packed.c and packed_column.h. These functions are
-- right, not fast: the service has its own in C.

-- 7 bits a byte, least significant first; `at` counts from 0.
CREATE FUNCTION packed_varint(data bytea, INOUT at int, OUT v int8)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	shift int := 0;
	b     int;
BEGIN
	v := 0;
	LOOP
		b := get_byte(data, at);
		at := at + 1;
		v := v | ((b & 127)::int8 << shift);
		EXIT WHEN b < 128;
		shift := shift + 7;
	END LOOP;
END $$;

CREATE FUNCTION packed_unzigzag(u int8) RETURNS int8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT ((u >> 1) & 9223372036854775807) # -(u & 1)
$$;

CREATE FUNCTION packed_word(data bytea, at int) RETURNS int8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT ('x' || encode(substring(data FROM at + 1 FOR 8), 'hex'))
	    ::bit(64)::int8
$$;

-- A double from its bits; the payload of a NaN is lost.
CREATE FUNCTION packed_float8(b int8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	e int := ((b >> 52) & 2047)::int;
	m int8 := b & 4503599627370495;
	v float8;
BEGIN
	IF e = 2047 THEN
		v := CASE WHEN m = 0 THEN 'Infinity' ELSE 'NaN' END::float8;
	ELSIF e = 0 THEN
		v := m::float8 * power(2::float8, -1074);
	ELSE
		v := (m + 4503599627370496)::float8 * power(2::float8,
		    e - 1075);
	END IF;
	RETURN CASE WHEN b < 0 THEN -v ELSE v END;
END $$;

-- A column of n numbers from `at` on.
CREATE FUNCTION packed_column(data bytea, INOUT at int, n int, OUT x int8[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	first int8; unit int8; ord int; least int8; v int8; u int8;
	y int8 := 0; step int8 := 0;
	i int := 1; k int; j int; w int; head int; odd int; place int;
	field bit varying;
	block int8[];
BEGIN
	SELECT p.at, packed_unzigzag(p.v) INTO at, first
	FROM packed_varint(data, at) p;
	x := ARRAY[first];
	IF n = 1 THEN
		RETURN;
	END IF;
	SELECT p.at, p.v INTO at, unit FROM packed_varint(data, at) p;
	IF unit = 0 THEN
		x := array_fill(first, ARRAY[n]);
		RETURN;
	END IF;
	ord := get_byte(data, at);
	at := at + 1;
	IF ord = 3 THEN
		FOR i IN 2 .. n LOOP
			x[i] := packed_word(data, at);
			at := at + 8;
		END LOOP;
		RETURN;
	END IF;
	WHILE i < n LOOP
		k := least(n - i, 64);
		SELECT p.at, packed_unzigzag(p.v) INTO at, least
		FROM packed_varint(data, at) p;
		head := get_byte(data, at);
		at := at + 1;
		w := head & 127;
		block := array_fill(0::int8, ARRAY[k]);
		IF w > 0 THEN
			field := ('x' || encode(substring(data FROM at + 1
			    FOR (k * w + 7) / 8), 'hex'))::bit varying;
			FOR j IN 1 .. k LOOP
				block[j] := (substring(field FROM (j - 1) * w + 1
				    FOR w)::bit(64) >> (64 - w))::int8;
			END LOOP;
			at := at + (k * w + 7) / 8;
		END IF;
		IF head >= 128 THEN
			odd := get_byte(data, at);
			at := at + 1;
			FOR j IN 1 .. odd LOOP
				place := get_byte(data, at) + 1;
				SELECT p.at, p.v INTO at, u
				FROM packed_varint(data, at + 1) p;
				block[place] := block[place] | (u << w);
			END LOOP;
		END IF;
		FOR j IN 1 .. k LOOP
			v := block[j] + least;
			step := CASE ord WHEN 2 THEN step + v ELSE v END;
			y := CASE ord WHEN 0 THEN v ELSE y + step END;
			x[i + j] := first + y * unit;
		END LOOP;
		i := i + k;
	END LOOP;
END $$;

CREATE FUNCTION packed_values(data bytea, INOUT at int, n int, OUT x float8[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	head int := get_byte(data, at);
	ten  float8 := ('1e' || (head & 15))::float8;
	factor float8; shift float8; d int8[];
	count int8; i int := 0; step int8;
BEGIN
	at := at + 1;
	IF head & 32 <> 0 THEN
		factor := packed_float8(packed_word(data, at));
		at := at + 8;
	END IF;
	IF head & 64 <> 0 THEN
		shift := packed_float8(packed_word(data, at));
		at := at + 8;
	END IF;
	SELECT p.at, p.x INTO at, d FROM packed_column(data, at, n) p;
	x := CASE WHEN head & 16 <> 0 THEN ARRAY(
	    SELECT packed_float8(CASE WHEN v < 0 THEN v # 9223372036854775807
	        ELSE v END)
	    FROM unnest(d) WITH ORDINALITY u(v, o) ORDER BY o)
	WHEN shift IS NOT NULL THEN ARRAY(SELECT v::float8 / ten * factor + shift
	    FROM unnest(d) WITH ORDINALITY u(v, o) ORDER BY o)
	WHEN factor IS NOT NULL THEN ARRAY(SELECT v::float8 / ten * factor
	    FROM unnest(d) WITH ORDINALITY u(v, o) ORDER BY o)
	ELSE ARRAY(SELECT v::float8 / ten
	    FROM unnest(d) WITH ORDINALITY u(v, o) ORDER BY o) END;
	IF head & 128 <> 0 THEN
		SELECT p.at, p.v INTO at, count FROM packed_varint(data, at) p;
		FOR j IN 1 .. count LOOP
			SELECT p.at, p.v INTO at, step
			FROM packed_varint(data, at) p;
			i := i + step::int;
			x[i] := packed_float8(packed_word(data, at));
			at := at + 8;
		END LOOP;
	END IF;
END $$;

-- µs since 1970; each part is exact in the double that an interval takes.
CREATE FUNCTION packed_instant(us int8) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT timestamptz '1970-01-01 00:00:00+00' +
	    us / 1000000 * interval '1 second' +
	    us % 1000000 * interval '1 microsecond'
$$;
CREATE FUNCTION packed_us(t timestamptz) RETURNS int8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT (extract(epoch FROM t) * 1000000)::int8
$$;

CREATE FUNCTION packed_readings(data bytea) RETURNS TABLE (ts timestamptz,
    value float8, quality int2, received_at timestamptz)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 500 AS $$
DECLARE
	at int; n int; delayed int;
	t int8[]; q int8[]; r int8[]; v float8[];
BEGIN
	IF get_byte(data, 0) <> 1 THEN
		RAISE EXCEPTION 'packed readings of version %, not 1',
		    get_byte(data, 0);
	END IF;
	SELECT p.at, p.v INTO at, n FROM packed_varint(data, 1) p;
	SELECT p.at, p.x INTO at, t FROM packed_column(data, at, n) p;
	SELECT p.at, p.x INTO at, v FROM packed_values(data, at, n) p;
	SELECT p.at, p.x INTO at, q FROM packed_column(data, at, n) p;
	delayed := get_byte(data, at);
	SELECT p.at, p.x INTO at, r FROM packed_column(data, at + 1, n) p;
	RETURN QUERY SELECT packed_instant(u.t), u.v, u.q::int2,
	    packed_instant(u.r + delayed * u.t)
	FROM unnest(t, v, q, r) AS u(t, v, q, r);
END $$;

-- The way back, for data that comes by SQL: right as well, and not small.
CREATE FUNCTION packed_put_varint(v int8) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	u   int8 := v;
	ret bytea := '';
BEGIN
	WHILE u < 0 OR u > 127 LOOP
		ret := ret || set_byte('\x00', 0, ((u & 127) | 128)::int);
		u := (u >> 7) & 144115188075855871;
	END LOOP;
	RETURN ret || set_byte('\x00', 0, u::int);
END $$;

CREATE FUNCTION packed_put_column(x int8[]) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT packed_put_varint((x[1] << 1) # (x[1] >> 63)) || CASE
	WHEN cardinality(x) = 1 THEN ''
	WHEN x[1] = ALL (x) THEN '\x00'
	ELSE '\x0103' || (SELECT string_agg(int8send(v), '' ORDER BY o)
	    FROM unnest(x) WITH ORDINALITY u(v, o) WHERE o > 1) END
$$;

-- Arrays side by side, times rising; receive times are rounded up to the ms.
CREATE FUNCTION packed_from(ts timestamptz[], value float8[], quality int2[],
    received_at timestamptz[]) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT '\x01' || packed_put_varint(cardinality(ts)) ||
	    packed_put_column(array_agg(packed_us(t) ORDER BY o)) ||
	    '\x10' || packed_put_column(array_agg(CASE WHEN b < 0
	        THEN b # 9223372036854775807 ELSE b END ORDER BY o)) ||
	    packed_put_column(array_agg(q::int8 ORDER BY o)) ||
	    '\x00' || packed_put_column(array_agg(
	        (packed_us(r) + 999) / 1000 * 1000 ORDER BY o))
	FROM unnest(ts, value, quality, received_at)
	    WITH ORDINALITY u(t, v, q, r, o),
	    LATERAL (SELECT packed_word(float8send(v), 0) AS b) bits
$$;

-- Whoever writes or removes rows of segments, rollups or series_latest holds
-- this lock from before it looks at what is known until it commits.
CREATE FUNCTION segments_lock() RETURNS void LANGUAGE sql AS $$
	SELECT pg_advisory_xact_lock(7305804403)
$$;

DROP VIEW readings;
DROP FUNCTION segments_ensure(timestamptz);
ALTER TABLE segments RENAME TO segments_unpacked;
ALTER TABLE segments_unpacked
    RENAME CONSTRAINT segments_pkey TO segments_unpacked_pkey;

-- One row per series and span: n readings in packed form, the first at t0,
-- the last at t1. Rows may overlap in time, but no reading is in two. A row
-- never leaves its UTC month.
CREATE TABLE segments (
	series int4 NOT NULL,
	class  int2 NOT NULL,
	t0     timestamptz NOT NULL,
	t1     timestamptz NOT NULL,
	n      int4 NOT NULL,
	data   bytea COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (series, t0, class)
) PARTITION BY RANGE (class, t0);

-- Makes the partition of a class and month if there is none yet. What is
-- older than 1990 shares one: a sensor may send any year from 1 on, and a
-- merge takes locks for each new partition. It is made first and attached
-- then, because CREATE … PARTITION OF would lock all of segments until the
-- merge commits: readers go on, and hold up no merge.
CREATE FUNCTION segments_ensure(class int2, t timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	since timestamptz := '1990-01-01 00:00:00+00';
	lo    timestamptz := date_trunc('month', t, 'UTC');
	hi    timestamptz := date_trunc('month', lo + interval '32 days', 'UTC');
	part  text := format('segments_%s_%s', class, CASE WHEN t < since
	    THEN 'old' ELSE to_char(lo AT TIME ZONE 'UTC', 'YYYYMM') END);
BEGIN
	IF to_regclass(part) IS NOT NULL THEN
		RETURN;
	END IF;
	PERFORM segments_lock();
	IF to_regclass(part) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE %I (LIKE segments INCLUDING ALL)', part);
	IF t < since THEN
		EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I '
		    'FOR VALUES FROM (%s, MINVALUE) TO (%s, %L)', part, class,
		    class, since);
	ELSE
		EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I '
		    'FOR VALUES FROM (%s, %L) TO (%s, %L)', part, class, lo,
		    class, hi);
	END IF;
END $$;

SELECT segments_ensure(class, month)
FROM (
	SELECT DISTINCT coalesce(m.class, 1::int2) AS class,
	    date_trunc('month', g.t0, 'UTC') AS month
	FROM segments_unpacked g
	LEFT JOIN series s ON s.id = g.series
	LEFT JOIN metrics m ON m.id = s.metric_id
) needed;

INSERT INTO segments
SELECT g.series, coalesce(m.class, 1), g.t0, g.t1, g.n,
    packed_from(g.ts, g.value, g.quality, g.received)
FROM segments_unpacked g
LEFT JOIN series s ON s.id = g.series
LEFT JOIN metrics m ON m.id = s.metric_id;

DROP TABLE segments_unpacked;

-- Days and months whose rows are to be joined when they are over. Whoever
-- stores rows says so with segments_touched(). `done` is the last series of a
-- pass that is under way.
CREATE TABLE segment_spans (
	monthly boolean NOT NULL,
	at      timestamptz NOT NULL,
	dirty   boolean NOT NULL DEFAULT true,
	done    int4,
	tidied  timestamptz,
	PRIMARY KEY (monthly, at)
);

-- The UTC days of these times, each time named once or more.
CREATE FUNCTION segments_touched(times timestamptz[]) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO segment_spans AS s (monthly, at)
	SELECT false, date_trunc('day', t, 'UTC') FROM unnest(times) t
	UNION
	SELECT true, date_trunc('month', t, 'UTC') FROM unnest(times) t
	ON CONFLICT (monthly, at) DO UPDATE SET dirty = true WHERE NOT s.dirty
$$;
SELECT segments_touched(coalesce(array_agg(DISTINCT date_trunc('day', t0,
    'UTC')), '{}')) FROM segments;

-- Receive times are kept to the ms, rounded up.
UPDATE ingest_log SET received_at = date_trunc('milliseconds',
    received_at + interval '999 microseconds');
UPDATE series_latest SET received_at = date_trunc('milliseconds',
    received_at + interval '999 microseconds');

-- Log and segments as plain rows, for anybody with psql. A reading that two
-- workers logged at once is shown once, the first of them, and not at all if
-- a segment has it: looked for only where a segment spans the log's times.
CREATE VIEW readings AS
WITH logged AS MATERIALIZED (
	SELECT DISTINCT ON (u.series, u.ts) u.series, u.ts, u.value,
	    u.quality, l.received_at, coalesce(m.class, 1::int2) AS class
	FROM ingest_log l, unnest(l.series, l.ts, l.value, l.quality)
	    WITH ORDINALITY AS u(series, ts, value, quality, ord)
	LEFT JOIN series s ON s.id = u.series
	LEFT JOIN metrics m ON m.id = s.metric_id
	ORDER BY u.series, u.ts, l.id, u.ord
), seen AS MATERIALIZED (
	SELECT g.series, u.ts
	FROM (
		SELECT series, class, date_trunc('month', ts, 'UTC') AS month,
		    min(ts) AS lo, max(ts) AS hi
		FROM logged GROUP BY 1, 2, 3
	) q
	JOIN segments g ON g.series = q.series AND g.class = q.class
	    AND g.t0 >= q.month AND g.t0 <= q.hi AND g.t1 >= q.lo,
	LATERAL packed_readings(g.data) u
)
SELECT n.code AS node, m.code AS metric, r.ts, r.value, m.unit, r.quality,
    r.received_at, r.merged, r.series
FROM (
	SELECT g.series, u.ts, u.value, u.quality, u.received_at, true AS merged
	FROM segments g, LATERAL packed_readings(g.data) u
	UNION ALL
	SELECT l.series, l.ts, l.value, l.quality, l.received_at, false
	FROM logged l
	WHERE (l.series, l.ts) NOT IN (SELECT series, ts FROM seen)
) r
JOIN series s ON s.id = r.series
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id;
