-- Log rows that no merge could read whole, with the reason, so that one bad
-- row neither stops the loop nor is lost. Nothing reads it but people.
CREATE TABLE ingest_log_aside (
	LIKE ingest_log INCLUDING COMPRESSION INCLUDING STORAGE,
	aside_at timestamptz NOT NULL DEFAULT now(),
	reason   text NOT NULL
);

-- As before, but without the lock on all of segments that CREATE … PARTITION
-- OF takes until the merge commits: readers go on, and hold up no merge.
CREATE OR REPLACE FUNCTION segments_ensure(t timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	lo timestamptz := date_trunc('month', t, 'UTC');
	hi timestamptz := date_trunc('month', lo + interval '32 days', 'UTC');
	part text := 'segments_' || to_char(lo AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
	IF to_regclass(part) IS NULL THEN
		EXECUTE format('CREATE TABLE %I (LIKE segments INCLUDING ALL)',
		    part);
		EXECUTE format('ALTER TABLE segments ATTACH PARTITION %I '
		    'FOR VALUES FROM (%L) TO (%L)', part, lo, hi);
	END IF;
END $$;
