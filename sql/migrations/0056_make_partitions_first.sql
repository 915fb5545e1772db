-- A statement is planned before it takes the snapshot that it answers from. If
-- a partition was attached and filled in between, its readings are in neither:
-- not in the partition, which the plan does not know, nor in the log, which has
-- them no more. So a partition is made by a transaction of its own, and filled
-- once nobody is left who may have planned without it.

-- Makes the partition of a class and month if there is none yet. Somebody holds
-- segments_lock() meanwhile: the caller, or on another connection, that it may
-- stay held beyond the commit, whoever the caller works for. What is older than
-- 1990 shares one: a sensor may send any year from 1 on. It is made first and
-- attached then, because CREATE … PARTITION OF would lock all of segments:
-- readers go on, and hold up nobody.
CREATE FUNCTION segments_make(class int2, t timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	s record;
BEGIN
	SELECT * INTO s FROM segments_span(class, t);
	IF to_regclass(s.part) IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('CREATE TABLE %I (LIKE segments INCLUDING ALL)', s.part);
	EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I FOR VALUES '
	    'FROM (%s, %s) TO (%s, %L)', s.part, class,
	    CASE WHEN s.part LIKE '%\_old' THEN 'MINVALUE'
	    ELSE quote_literal(s.lo) END, class, s.hi);
END $$;
REVOKE ALL ON FUNCTION segments_make FROM PUBLIC, penstock_archive;
GRANT EXECUTE ON FUNCTION segments_make TO penstock_serve;

CREATE OR REPLACE FUNCTION segments_ensure(class int2, t timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
	IF to_regclass((segments_span(class, t)).part) IS NULL THEN
		PERFORM segments_lock();
		PERFORM segments_make(class, t);
	END IF;
END $$;

-- Waits, as long as `most`, for those that had locked segments when it began:
-- who plans locks it before he looks what partitions it has, and who locks it
-- later finds those that are committed by now. `holder`, whom the caller works
-- for, is not waited for. False: some are still there.
CREATE FUNCTION segments_await(holder int, most interval) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	left_s float8 := extract(epoch FROM most);
	nap_s  float8 := 0.001;
	older  text[];
BEGIN
	LOOP
		older := ARRAY(SELECT l.virtualtransaction FROM pg_locks l
		    WHERE l.relation = 'segments'::regclass AND l.granted
		        AND l.database = (SELECT d.oid FROM pg_database d
		            WHERE d.datname = current_database())
		        AND l.pid NOT IN (holder, pg_backend_pid())
		        AND (older IS NULL
		            OR l.virtualtransaction = ANY (older)));
		IF older = '{}' THEN
			RETURN true;
		ELSIF left_s <= 0 THEN
			RETURN false;
		END IF;
		PERFORM pg_sleep(least(nap_s, left_s));
		left_s := left_s - nap_s;
		nap_s := least(2 * nap_s, 0.05);
	END LOOP;
END $$;
