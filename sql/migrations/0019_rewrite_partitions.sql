-- A month's partition is filled by small rows that are joined afterwards, and
-- few rows lie in many pages of heap, key, TOAST and free space map. Once its
-- rows are joined it is written anew. loose: that has not been looked at yet.
ALTER TABLE segment_spans ADD loose boolean NOT NULL DEFAULT false;
UPDATE segment_spans SET loose = monthly;

-- Writes the partitions of a month anew that take a quarter more than they
-- need, and 48 kB: their key, the index of their TOAST table and a last page
-- of each. Nobody reads or writes them meanwhile: so large ones are left, and
-- it waits for nobody. Rows of up to half a page, where there are few up to a
-- whole one, go without the TOAST table then, and a few dead ones bring no
-- vacuum, which would add maps of free space. No row changes: an archive that is being written need not know.
-- False: somebody was at work on one, try again later.
CREATE FUNCTION segments_rewrite(month timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	part  regclass;
	bytes int8;
	least int8;
BEGIN
	PERFORM segments_lock();
	FOR part IN SELECT to_regclass((segments_span(c.id, month)).part)
	    FROM retention_classes c
	LOOP
		bytes := pg_total_relation_size(part);
		CONTINUE WHEN bytes IS NULL OR bytes > 1 << 26;
		EXECUTE format('SELECT coalesce(sum(64 + pg_column_size(data)),'
		    ' 0) FROM %s', part) INTO least;
		CONTINUE WHEN least > 1 << 24
		    OR bytes <= least * 1.25 + 6 * 8192;
		EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT',
		    part);
		EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = %s,'
		    ' autovacuum_vacuum_threshold = 1000)', part,
		    CASE WHEN least < 1 << 16 THEN 8160 ELSE 4080 END);
		EXECUTE format('CLUSTER %s USING %I', part, (SELECT c.relname
		    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		    WHERE i.indrelid = part AND i.indisprimary));
	END LOOP;
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END $$;

-- The next month before `months` whose rows are joined. True: there may be
-- more of them.
CREATE FUNCTION segments_rewrite_next(months timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	month timestamptz;
BEGIN
	SELECT s.at INTO month FROM segment_spans s
	WHERE s.monthly AND s.loose AND NOT s.dirty AND s.done IS NULL
	    AND s.at < months
	ORDER BY s.at LIMIT 1;
	IF month IS NULL OR NOT segments_rewrite(month) THEN
		RETURN false;
	END IF;
	UPDATE segment_spans SET loose = false WHERE monthly AND at = month;
	RETURN true;
END $$;
