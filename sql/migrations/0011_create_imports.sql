-- Bulk history: a file of any size comes in parts, each stored in segments
-- directly and told of here in the transaction that stores it.

CREATE TABLE imports (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name          text NOT NULL,
	alarms        boolean NOT NULL, -- by the log, judged by the loop
	state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open',
	    'finished', 'cancelled')),
	total_bytes   bigint, -- what the sender said
	header        text, -- of part 0; NULL: no part came yet
	next_part     int NOT NULL DEFAULT 0,
	bytes         bigint NOT NULL DEFAULT 0, -- of CSV, inflated
	accepted      bigint NOT NULL DEFAULT 0,
	duplicates    bigint NOT NULL DEFAULT 0,
	empty         bigint NOT NULL DEFAULT 0, -- rows without a value
	rejected      jsonb NOT NULL DEFAULT '{}', -- count by reason
	created_by    text NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT now(),
	first_part_at timestamptz,
	last_part_at  timestamptz,
	ended_by      text,
	ended_at      timestamptz
);

-- answer NULL: some of the part is stored, as far as (series, ts).
CREATE TABLE import_parts (
	import_id  bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
	part       int NOT NULL,
	sha256     text NOT NULL, -- hex, of the body as it came
	answer     text,
	accepted   bigint NOT NULL,
	duplicates bigint NOT NULL,
	series     int4,
	ts         timestamptz,
	PRIMARY KEY (import_id, part)
);

-- The newest reading that imports stored of a series. The loop takes what it
-- has not merged itself as new only beyond this.
CREATE SEQUENCE import_mark_seq;
CREATE TABLE import_marks (
	series int4 PRIMARY KEY,
	ts     timestamptz NOT NULL,
	value  float8 NOT NULL,
	mark   bigint NOT NULL
);
CREATE INDEX import_marks_mark_idx ON import_marks (mark);

CREATE FUNCTION import_json(i imports) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', i.id, 'name', i.name, 'alarms', i.alarms,
	    'state', i.state, 'part_bytes', 8388608, 'next_part', i.next_part,
	    'total_bytes', i.total_bytes, 'bytes', i.bytes,
	    'rows', i.accepted + i.duplicates + r.n, 'accepted', i.accepted,
	    'duplicates', i.duplicates, 'empty', i.empty, 'rejected', r.n,
	    'rejected_by_reason', i.rejected,
	    'rows_per_second', round(((i.accepted + i.duplicates + r.n) /
	        nullif(extract(epoch FROM i.last_part_at - i.first_part_at),
	        0))::numeric, 1),
	    'created_by', i.created_by, 'created_at', rfc3339(i.created_at),
	    'first_part_at', rfc3339(i.first_part_at),
	    'last_part_at', rfc3339(i.last_part_at),
	    'ended_by', i.ended_by, 'ended_at', rfc3339(i.ended_at))
	FROM (SELECT coalesce(sum(value::bigint), 0)::bigint AS n
	    FROM jsonb_each_text(i.rejected)) r
$$;

-- Open ones keep their parts' answers, so there is a bound on them.
CREATE FUNCTION import_create(body jsonb, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	i imports;
BEGIN
	IF (SELECT count(*) FROM imports WHERE state = 'open') >= 100 THEN
		PERFORM refuse(409, 'there are 100 open imports: finish or '
		    'cancel some');
	END IF;
	INSERT INTO imports (name, alarms, total_bytes, created_by)
	VALUES (coalesce(body->>'name', ''),
	    coalesce((body->>'alarms')::boolean, false),
	    (body->>'total_bytes')::numeric::bigint, who)
	RETURNING * INTO i;
	RETURN ROW(import_json(i), NULL, '/api/v1/imports/' || i.id)::answer;
END $$;

-- wanted: finished or cancelled. Ending it again the same way changes nothing.
CREATE FUNCTION import_end(wanted_id bigint, wanted text, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	i imports;
BEGIN
	SELECT * INTO i FROM imports WHERE id = wanted_id FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	IF i.state NOT IN ('open', wanted) THEN
		PERFORM refuse(409, format('the import is %s', i.state));
	END IF;
	IF i.state = 'open' THEN
		IF wanted = 'finished' AND EXISTS (SELECT FROM import_parts
		    WHERE import_id = i.id AND answer IS NULL) THEN
			PERFORM refuse(409, format('part %s is stored in part: '
			    'send it again first', i.next_part));
		END IF;
		UPDATE imports SET state = wanted, ended_by = who,
		    ended_at = now() WHERE id = i.id RETURNING * INTO i;
		DELETE FROM import_parts WHERE import_id = i.id;
	END IF;
	RETURN ROW(import_json(i), NULL, NULL)::answer;
END $$;

-- The end of a part. False: the import was ended meanwhile, so nothing of this
-- transaction may stay.
CREATE FUNCTION import_part_done(wanted_id bigint, done import_parts,
    head text, more_bytes bigint, more_rejected jsonb, began timestamptz,
    more_empty bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	UPDATE imports SET next_part = done.part + 1,
	    header = coalesce(header, head), bytes = bytes + more_bytes,
	    accepted = accepted + done.accepted,
	    duplicates = duplicates + done.duplicates,
	    empty = empty + more_empty,
	    rejected = (SELECT coalesce(jsonb_object_agg(key, n), '{}')
	        FROM (SELECT key, sum(value::bigint) AS n
	            FROM (SELECT * FROM jsonb_each_text(rejected)
	                UNION ALL SELECT * FROM jsonb_each_text(more_rejected))
	                b GROUP BY key) s),
	    first_part_at = coalesce(first_part_at, began),
	    last_part_at = clock_timestamp()
	WHERE id = wanted_id AND state = 'open' AND next_part = done.part;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO import_parts VALUES (done.*)
	ON CONFLICT (import_id, part) DO UPDATE SET sha256 = excluded.sha256,
	    answer = excluded.answer, accepted = excluded.accepted,
	    duplicates = excluded.duplicates, series = NULL, ts = NULL;
	RETURN true;
END $$;
