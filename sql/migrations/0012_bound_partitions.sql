-- Every month with a reading gets a partition, and a sensor may send any
-- year from 1 on: one request with 2,000 months in it took more locks in one
-- merge than the server has, so that no merge came to an end again. What is
-- older than 1990 shares one partition.
CREATE TABLE segments_old (LIKE segments INCLUDING ALL);

DO $$
DECLARE
	part regclass;
BEGIN
	FOR part IN SELECT inhrelid FROM pg_inherits JOIN pg_class c
	    ON c.oid = inhrelid
	    WHERE inhparent = 'segments'::regclass
	    AND c.relname < 'segments_199001'
	LOOP
		EXECUTE format('INSERT INTO segments_old SELECT * FROM %s', part);
		EXECUTE format('DROP TABLE %s', part);
	END LOOP;
END $$;

ALTER TABLE segments ATTACH PARTITION segments_old
    FOR VALUES FROM (MINVALUE) TO ('1990-01-01 00:00:00+00');

CREATE OR REPLACE FUNCTION segments_ensure(t timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	lo timestamptz := date_trunc('month', t, 'UTC');
	hi timestamptz := date_trunc('month', lo + interval '32 days', 'UTC');
	part text := 'segments_' || to_char(lo AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
	IF t >= '1990-01-01 00:00:00+00' AND to_regclass(part) IS NULL THEN
		EXECUTE format('CREATE TABLE %I (LIKE segments INCLUDING ALL)',
		    part);
		EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I '
		    'FOR VALUES FROM (%L) TO (%L)', part, lo, hi);
	END IF;
END $$;
