-- Roll-ups cost less than the readings they are of: what is stored is added to
-- rollups_fresh, and once a span is over, moved to rollups_packed, in the form
-- of src/domain/packed_rollup.h. A bucket may be in both: its parts add up.
ALTER TABLE rollups RENAME TO rollups_fresh;
ALTER TABLE rollups_fresh
    RENAME CONSTRAINT rollups_pkey TO rollups_fresh_pkey;
ALTER TABLE rollups_fresh
    RENAME CONSTRAINT rollups_width_s_check TO rollups_fresh_width_s_check;

-- One row per series, width and span: of 5 minutes a UTC day, of hours a
-- month, of days a year. t0: when the span begins.
CREATE TABLE rollups_packed (
	series  int4 NOT NULL,
	width_s int4 NOT NULL CHECK (width_s IN (300, 3600, 86400)),
	t0      timestamptz NOT NULL,
	data    bytea COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (series, width_s, t0)
);

-- The span of the width that holds t.
CREATE FUNCTION rollups_span(width_s int, t timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT date_trunc(CASE width_s WHEN 300 THEN 'day' WHEN 3600
	    THEN 'month' ELSE 'year' END, t, 'UTC')
$$;

-- The packed form; the bytes are described in src/domain/packed_rollup.c.
-- Right, not fast: the service has its own in C.

-- In plpgsql, whose functions are planned once a session: those in SQL that
-- are not inlined are planned for each row that is unpacked.

-- Sums of int8 that may overflow, as the bytes have them: modulo 2^64.
CREATE FUNCTION packed_add(a int8, b int8) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF a / 2 BETWEEN -2305843009213693951 AND 2305843009213693951
	    AND b / 2 BETWEEN -2305843009213693951 AND 2305843009213693951 THEN
		RETURN a + b;
	END IF;
	RETURN (mod(mod(a::numeric + b + 9223372036854775808,
	    18446744073709551616) + 18446744073709551616,
	    18446744073709551616) - 9223372036854775808)::int8;
END $$;

-- Bits of doubles to numbers in their order, and back.
CREATE FUNCTION packed_ordered(b int8) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	RETURN CASE WHEN b < 0 THEN b # 9223372036854775807 ELSE b END;
END $$;

-- What is told from what was expected.
CREATE FUNCTION packed_near(expected float8, more int8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF more = 0 THEN
		RETURN expected;
	END IF;
	RETURN packed_float8(packed_ordered(packed_add(packed_ordered(
	    packed_word(float8send(expected), 0)), more)));
END $$;

CREATE FUNCTION packed_whole(q float8) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	RETURN CASE WHEN abs(q) <= 9e15 THEN trunc(q)::int8 ELSE 0 END;
END $$;

CREATE FUNCTION packed_square(v float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	RETURN CASE WHEN abs(v) > 1e-100 AND abs(v) < 1e100 THEN v * v
	    ELSE 0 END;
END $$;

-- How the numbers of values are to be read, from `at` on. ten NULL: they are
-- the doubles' bits.
CREATE FUNCTION packed_scale(data bytea, INOUT at int, OUT odd boolean,
    OUT ten float8, OUT factor float8, OUT shift float8)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	head int := get_byte(data, at);
BEGIN
	at := at + 1;
	odd := head & 128 <> 0;
	ten := CASE WHEN head & 16 = 0 THEN ('1e' || (head & 15))::float8 END;
	factor := 1;
	shift := 0;
	IF head & 32 <> 0 THEN
		factor := packed_float8(packed_word(data, at));
		at := at + 8;
	END IF;
	IF head & 64 <> 0 THEN
		shift := packed_float8(packed_word(data, at));
		at := at + 8;
	END IF;
END $$;

-- First, least, greatest and last value of n buckets, and the whole numbers
-- they were made of.
CREATE FUNCTION packed_rollup_values(data bytea, INOUT at int, n int,
    OUT ten float8, OUT factor float8, OUT shift float8, OUT v float8[],
    OUT lo int8[], OUT hi int8[])
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	f int8[]; l int8[];
	odd boolean; many int8; step int8;
	place int := 0;
BEGIN
	SELECT * INTO at, odd, ten, factor, shift FROM packed_scale(data, at);
	SELECT * INTO at, f FROM packed_column(data, at, n);
	SELECT * INTO at, lo FROM packed_column(data, at, n);
	SELECT * INTO at, hi FROM packed_column(data, at, n);
	SELECT * INTO at, l FROM packed_column(data, at, n);
	lo := ARRAY(SELECT packed_add(u.f, u.x) FROM unnest(f, lo)
	    WITH ORDINALITY u(f, x, o) ORDER BY o);
	hi := ARRAY(SELECT packed_add(u.f, u.x) FROM unnest(f, hi)
	    WITH ORDINALITY u(f, x, o) ORDER BY o);
	l := ARRAY(SELECT packed_add(u.f, u.x) FROM unnest(f, l)
	    WITH ORDINALITY u(f, x, o) ORDER BY o);
	v := ARRAY(SELECT CASE WHEN ten IS NULL
	    THEN packed_float8(packed_ordered(u.d))
	    ELSE u.d / ten * factor + shift END
	    FROM unnest(f || lo || hi || l) WITH ORDINALITY u(d, o) ORDER BY o);
	IF odd THEN
		SELECT * INTO at, many FROM packed_varint(data, at);
		FOR i IN 1 .. many LOOP
			SELECT * INTO at, step FROM packed_varint(data, at);
			place := place + step::int;
			v[place] := packed_float8(packed_word(data, at));
			at := at + 8;
		END LOOP;
	END IF;
END $$;

CREATE FUNCTION packed_rollups(data bytea) RETURNS TABLE (bucket timestamptz,
    n int8, good int8, sum float8, min float8, max float8, sumsq float8,
    first_ts timestamptz, first float8, last_ts timestamptz, last float8)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 300 AS $$
#variable_conflict use_column
DECLARE
	at int; k int; c record;
	b int8[]; all_n int8[]; bad int8[]; since int8[]; until int8[];
	s int8[]; s_more int8[]; q int8[]; q_more int8[];
BEGIN
	IF get_byte(data, 0) <> 1 THEN
		RAISE EXCEPTION 'packed roll-ups of version %, not 1',
		    get_byte(data, 0);
	END IF;
	SELECT p.at, p.v INTO at, k FROM packed_varint(data, 1) p;
	SELECT p.at, p.x INTO at, b FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, all_n FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, bad FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, since FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, until FROM packed_column(data, at, k) p;
	SELECT p.* INTO c FROM packed_rollup_values(data, at, k) p;
	SELECT p.at, p.x INTO at, s FROM packed_column(data, c.at, k) p;
	SELECT p.at, p.x INTO at, s_more FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, q FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, q_more FROM packed_column(data, at, k) p;
	RETURN QUERY
	SELECT packed_instant(u.b * 300000000), u.n, g.good,
	    CASE WHEN g.good > 0 THEN sums.v ELSE 0 END,
	    CASE WHEN g.good > 0 THEN u.min ELSE 'infinity' END,
	    CASE WHEN g.good > 0 THEN u.max ELSE '-infinity' END,
	    CASE WHEN g.good > 0 THEN squares.v ELSE 0 END,
	    packed_instant(u.b * 300000000 + u.since), u.first,
	    packed_instant(u.b * 300000000 + u.since + u.until), u.last
	FROM unnest(b, all_n, bad, since, until, c.v[1 : k],
	    c.v[k + 1 : 2 * k], c.v[2 * k + 1 : 3 * k], c.v[3 * k + 1 : 4 * k],
	    c.lo, c.hi, s, s_more, q, q_more) AS u(b, n, bad, since, until,
	    first, min, max, last, lo, hi, s, s_more, q, q_more),
	LATERAL (SELECT u.n - u.bad AS good,
	    u.n - u.bad > 1 AND c.ten IS NOT NULL AS whole) g,
	LATERAL (SELECT u.s + CASE WHEN g.whole THEN packed_whole(g.good *
	    ((u.lo::float8 + u.hi::float8) / 2)) ELSE 0 END AS s) w,
	LATERAL (SELECT packed_near(CASE WHEN g.good = 0 THEN 0
	    WHEN g.good = 1 THEN u.min
	    WHEN g.whole THEN w.s / c.ten * c.factor + c.shift * g.good
	    WHEN packed_square(u.min) > 0 THEN u.min * g.good ELSE 0 END,
	    u.s_more) AS v) sums,
	LATERAL (SELECT CASE WHEN g.whole AND c.shift = 0
	    THEN w.s::float8 * w.s / g.good END AS q) e,
	LATERAL (SELECT packed_near(CASE WHEN g.good = 0 THEN 0
	    WHEN e.q <= 9e15 THEN (trunc(e.q)::int8 + u.q) / c.ten / c.ten *
	        c.factor * c.factor
	    ELSE packed_square(sums.v) / g.good END, u.q_more) AS v) squares;
END $$;

-- The newest bucket that begins before t and has good readings.
CREATE FUNCTION packed_rollups_good(data bytea, t timestamptz)
RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	at int; k int;
	b int8[]; n int8[]; bad int8[];
BEGIN
	SELECT p.at, p.v INTO at, k FROM packed_varint(data, 1) p;
	SELECT p.at, p.x INTO at, b FROM packed_column(data, at, k) p;
	SELECT p.at, p.x INTO at, n FROM packed_column(data, at, k) p;
	SELECT p.x INTO bad FROM packed_column(data, at, k) p;
	RETURN (SELECT packed_instant(max(u.b) * 300000000)
	    FROM unnest(b, n, bad) u(b, n, bad)
	    WHERE u.n > u.bad AND u.b * 300000000 < packed_us(t));
END $$;

-- Removes what is packed of some spans, side by side: ord is their place. Few
-- of many rows, which the planner may not know: never by reading them all.
CREATE FUNCTION rollups_packed_take(int4[], int4[], timestamptz[])
RETURNS TABLE (ord int8, data bytea) LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
	RETURN QUERY
	WITH old AS (
		DELETE FROM rollups_packed p
		USING unnest($1, $2, $3)
		    WITH ORDINALITY AS q(series, width_s, t0, ord)
		WHERE p.series = q.series AND p.width_s = q.width_s
		    AND p.t0 = q.t0
		RETURNING q.ord, p.data)
	SELECT old.ord, old.data FROM old ORDER BY old.ord;
END $$;

-- One row per series, width and bucket, for anybody with psql.
CREATE VIEW rollups AS
SELECT series, width_s, bucket, sum(n)::int8 AS n, sum(good)::int8 AS good,
    sum(sum) AS sum, min(min) AS min, max(max) AS max, sum(sumsq) AS sumsq,
    min(first_ts) AS first_ts, (array_agg(first ORDER BY first_ts))[1] AS first,
    max(last_ts) AS last_ts,
    (array_agg(last ORDER BY last_ts DESC))[1] AS last
FROM (
	SELECT * FROM rollups_fresh
	UNION ALL
	SELECT p.series, p.width_s, u.*
	FROM rollups_packed p, LATERAL packed_rollups(p.data) u
) r
GROUP BY series, width_s, bucket;

-- The roll-ups of a series' whole days, summed again from segments; of packed
-- spans that they are in, the other buckets become fresh.
CREATE OR REPLACE FUNCTION rollups_again(wanted int, since timestamptz,
    until timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segments_lock();
	WITH gone AS (
		DELETE FROM rollups_packed p WHERE p.series = wanted
		    AND p.width_s = ANY ('{300,3600,86400}')
		    AND p.t0 >= rollups_span(p.width_s, since)
		    AND p.t0 < until
		RETURNING p.*
	)
	INSERT INTO rollups_fresh AS r
	SELECT g.series, g.width_s, u.*
	FROM gone g, LATERAL packed_rollups(g.data) u
	ON CONFLICT (series, width_s, bucket) DO UPDATE SET
	    n = r.n + excluded.n, good = r.good + excluded.good,
	    sum = r.sum + excluded.sum, min = least(r.min, excluded.min),
	    max = greatest(r.max, excluded.max),
	    sumsq = r.sumsq + excluded.sumsq,
	    first = CASE WHEN excluded.first_ts < r.first_ts
	        THEN excluded.first ELSE r.first END,
	    first_ts = least(r.first_ts, excluded.first_ts),
	    last = CASE WHEN excluded.last_ts > r.last_ts
	        THEN excluded.last ELSE r.last END,
	    last_ts = greatest(r.last_ts, excluded.last_ts);
	DELETE FROM rollups_fresh WHERE series = wanted
	    AND width_s = ANY ('{300,3600,86400}') AND bucket >= since
	    AND bucket < until;
	INSERT INTO rollups_fresh (series, width_s, bucket, n, good, sum, min,
	    max, sumsq, first_ts, first, last_ts, last)
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
	PERFORM segments_touched(ARRAY(SELECT generate_series(since,
	    until - interval '1 second', interval '1 day')));
END $$;

-- What is there already is packed as its days and months are looked at again.
SELECT segments_touched(coalesce(array_agg(DISTINCT bucket), '{}'))
FROM rollups_fresh WHERE width_s = 86400;
