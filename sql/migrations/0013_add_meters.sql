-- Totalisers: how far a register counts, what happened to a meter, and where
-- its volume and the integral of a flow part.

-- The index at which the register starts again at 0, in the metric's
-- canonical unit; NULL: it never does. Of the series' first meter: a swap may
-- say another for the meter that it brings.
ALTER TABLE series ADD register_max float8 CHECK (register_max > 0);

CREATE OR REPLACE FUNCTION series_json(s series) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('node', n.code, 'metric', m.code,
	    'unit', s.unit, 'canonical_unit', m.unit, 'kind', s.kind,
	    'cadence_s', s.cadence_s, 'silence_s', s.silence_s,
	    'max_rate_per_min', s.max_rate_per_min,
	    'flatline_s', s.flatline_s, 'outlier_k', s.outlier_k,
	    'register_max', s.register_max,
	    'thresholds', thresholds_json(s.id),
	    'created_at', rfc3339(s.created_at),
	    'retired_at', rfc3339(s.retired_at))
	FROM nodes n, metrics m WHERE n.id = s.node_id AND m.id = s.metric_id);
END $$;

CREATE FUNCTION check_register(kind text, body jsonb, pointer text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF kind <> 'total' AND body->>'register_max' IS NOT NULL THEN
		PERFORM refuse(422, format('a series of kind %s has no '
		    'register; one of kind total has', kind),
		    pointer || '/register_max');
	END IF;
END $$;

CREATE OR REPLACE FUNCTION series_add(n nodes, body jsonb, pointer text)
RETURNS series LANGUAGE plpgsql AS $$
DECLARE
	m metrics := find_metric(body->>'metric', pointer || '/metric');
	unit text := coalesce(body->>'unit', m.unit);
	kind text := coalesce(body->>'kind', m.kind);
	s series;
BEGIN
	PERFORM check_unit(unit, m, pointer || '/unit');
	PERFORM check_register(kind, body, pointer);
	INSERT INTO series (node_id, metric_id, unit, kind, cadence_s,
	    silence_s, max_rate_per_min, flatline_s, outlier_k, register_max)
	VALUES (n.id, m.id, unit, kind, (body->>'cadence_s')::float8,
	    (body->>'silence_s')::float8,
	    (body->>'max_rate_per_min')::float8,
	    (body->>'flatline_s')::float8, (body->>'outlier_k')::float8,
	    (body->>'register_max')::float8)
	ON CONFLICT (node_id, metric_id) DO NOTHING RETURNING * INTO s;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('series %s/%s exists already',
		    n.code, m.code), pointer || '/metric');
	END IF;
	RETURN s;
END $$;

CREATE OR REPLACE FUNCTION series_change(node text, metric text, body jsonb,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	s series := series_take(node, metric, if_match);
BEGIN
	IF body->>'unit' IS NOT NULL THEN
		PERFORM check_unit(body->>'unit', find_metric(metric, ''),
		    '/unit');
	END IF;
	PERFORM check_register(s.kind, body, '');
	IF (body->>'retired') = 'false' AND EXISTS (SELECT FROM nodes
	    WHERE id = s.node_id AND retired_at IS NOT NULL) THEN
		PERFORM refuse(409, format('node %s is retired', node),
		    '/retired');
	END IF;
	-- Present members first, then what is there; null takes away.
	body := jsonb_build_object('cadence_s', s.cadence_s,
	    'silence_s', s.silence_s, 'max_rate_per_min', s.max_rate_per_min,
	    'flatline_s', s.flatline_s, 'outlier_k', s.outlier_k,
	    'register_max', s.register_max) || body;
	UPDATE series u SET unit = coalesce(body->>'unit', u.unit),
	    cadence_s = (body->>'cadence_s')::float8,
	    silence_s = (body->>'silence_s')::float8,
	    max_rate_per_min = (body->>'max_rate_per_min')::float8,
	    flatline_s = (body->>'flatline_s')::float8,
	    outlier_k = (body->>'outlier_k')::float8,
	    register_max = (body->>'register_max')::float8,
	    retired_at = CASE body->>'retired'
	        WHEN 'true' THEN coalesce(u.retired_at, now())
	        WHEN 'false' THEN NULL ELSE u.retired_at END
	WHERE u.id = s.id RETURNING * INTO s;
	RETURN series_answer(s, false);
END $$;

-- What a person says happened to a register: at `at` it stood at old_index
-- and from then on counted from new_index (NULL: nobody knows; then what was
-- used on that side is missing). A reading at that very time is of the
-- register after it. register_max: of the meter that a swap brings, NULL: as
-- before. A wrong one is voided, never changed.
CREATE TABLE meter_events (
	id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	series_id    int NOT NULL REFERENCES series,
	at           timestamptz NOT NULL,
	type         text NOT NULL CHECK (type IN ('rollover', 'reset',
	    'swap')),
	old_index    float8 CHECK (old_index >= 0),
	new_index    float8 CHECK (new_index >= 0),
	register_max float8 CHECK (register_max > 0),
	note         text NOT NULL DEFAULT '',
	created_at   timestamptz NOT NULL DEFAULT now(),
	created_by   text NOT NULL,
	voided_at    timestamptz,
	voided_by    text
);
CREATE UNIQUE INDEX meter_events_key ON meter_events (series_id, at)
    WHERE voided_at IS NULL;

CREATE FUNCTION meter_event_json(e meter_events) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', e.id, 'node', n.code,
	    'metric', m.code, 'unit', m.unit, 'at', rfc3339(e.at),
	    'type', e.type, 'old_index', e.old_index,
	    'new_index', e.new_index, 'register_max', e.register_max,
	    'note', e.note, 'created_at', rfc3339(e.created_at),
	    'created_by', e.created_by, 'voided_at', rfc3339(e.voided_at),
	    'voided_by', e.voided_by)
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id WHERE s.id = e.series_id);
END $$;

-- The width of a series' register just before a time.
CREATE FUNCTION register_at(s series, t timestamptz) RETURNS float8
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT e.register_max FROM meter_events e
	    WHERE e.series_id = s.id AND e.voided_at IS NULL AND e.at < t
	        AND e.register_max IS NOT NULL
	    ORDER BY e.at DESC LIMIT 1), s.register_max)
$$;

CREATE FUNCTION check_index(index float8, width float8, pointer text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF index > width THEN
		PERFORM refuse(422, format('%s is beyond the register, which '
		    'starts again at %s', index, width), pointer);
	END IF;
END $$;

-- The rest of what is checked for an event: its indexes.
CREATE FUNCTION meter_event_check(e meter_events, width float8) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF e.type = 'rollover' AND e.old_index IS NULL THEN
		PERFORM refuse(422, 'the series has no register_max: say in '
		    'old_index where the register started again',
		    '/old_index');
	END IF;
	IF e.type <> 'swap' AND e.register_max IS NOT NULL THEN
		PERFORM refuse(422, 'only a swap brings another register',
		    '/register_max');
	END IF;
	PERFORM check_index(e.old_index, width, '/old_index');
	PERFORM check_index(e.new_index, coalesce(e.register_max, width),
	    '/new_index');
END $$;

CREATE FUNCTION meter_event_add(node text, metric text, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	s series := series_take(node, metric, '*');
	e meter_events;
	width float8;
BEGIN
	IF s.kind <> 'total' THEN
		PERFORM refuse(422, format('%s/%s is of kind %s: only a '
		    'totaliser has meter events', node, metric, s.kind));
	END IF;
	e.at := (body->>'at')::timestamptz;
	e.type := body->>'type';
	width := register_at(s, e.at);
	e.old_index := (body->>'old_index')::float8;
	e.new_index := (body->>'new_index')::float8;
	IF e.type = 'rollover' THEN
		e.old_index := coalesce(e.old_index, width);
	END IF;
	IF e.type <> 'swap' THEN
		e.new_index := coalesce(e.new_index, 0);
	END IF;
	e.register_max := (body->>'register_max')::float8;
	IF e.at > now() + interval '5 minutes' THEN
		PERFORM refuse(422, 'an event is told when it has happened',
		    '/at');
	END IF;
	PERFORM meter_event_check(e, width);
	INSERT INTO meter_events (series_id, at, type, old_index, new_index,
	    register_max, note, created_by)
	VALUES (s.id, e.at, e.type, e.old_index, e.new_index, e.register_max,
	    coalesce(body->>'note', ''), who)
	ON CONFLICT (series_id, at) WHERE voided_at IS NULL DO NOTHING
	RETURNING * INTO e;
	IF NOT FOUND THEN
		PERFORM refuse(409, 'there is an event at that time; void it '
		    'first if it is wrong', '/at');
	END IF;
	RETURN ROW(meter_event_json(e), NULL, NULL)::answer;
END $$;

-- No row: there is none in force of that number. Voiding twice is once.
CREATE FUNCTION meter_event_void(node text, metric text, wanted bigint,
    who text) RETURNS SETOF answer LANGUAGE plpgsql AS $$
DECLARE
	s series := series_take(node, metric, '*');
	e meter_events;
BEGIN
	UPDATE meter_events v SET voided_at = coalesce(v.voided_at, now()),
	    voided_by = coalesce(v.voided_by, who)
	WHERE v.id = wanted AND v.series_id = s.id RETURNING * INTO e;
	IF FOUND THEN
		RETURN NEXT ROW(meter_event_json(e), NULL, NULL)::answer;
	END IF;
END $$;

-- Spans in which a series must not be trusted as it stands, until the check
-- that raised the flag passes for the same span.
CREATE TABLE quality_flags (
	id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	series_id  int NOT NULL REFERENCES series,
	kind       text NOT NULL CHECK (kind IN ('flow_total_mismatch')),
	from_ts    timestamptz NOT NULL,
	to_ts      timestamptz NOT NULL,
	figures    jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL,
	checked_at timestamptz NOT NULL DEFAULT now(),
	cleared_at timestamptz,
	cleared_by text,
	CONSTRAINT quality_flags_key UNIQUE (series_id, kind, from_ts, to_ts),
	CHECK (from_ts < to_ts)
);

CREATE FUNCTION quality_flag_json(f quality_flags) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', f.id, 'node', n.code,
	    'metric', m.code, 'kind', f.kind, 'from', rfc3339(f.from_ts),
	    'to', rfc3339(f.to_ts), 'figures', f.figures,
	    'created_at', rfc3339(f.created_at), 'created_by', f.created_by,
	    'checked_at', rfc3339(f.checked_at),
	    'cleared_at', rfc3339(f.cleared_at), 'cleared_by', f.cleared_by)
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id WHERE s.id = f.series_id);
END $$;

-- items: [{from, to, state, …}]: 'differ' raises the flag of that span or
-- raises it again, 'agree' clears it, what is not provable leaves it.
CREATE FUNCTION quality_flags_put(series int, kind text, items jsonb,
    who text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO quality_flags AS f (series_id, kind, from_ts, to_ts,
	    figures, created_by)
	SELECT series, kind, (i->>'from')::timestamptz,
	    (i->>'to')::timestamptz, i, who
	FROM jsonb_array_elements(items) i WHERE i->>'state' = 'differ'
	ON CONFLICT (series_id, kind, from_ts, to_ts) DO UPDATE
	SET figures = excluded.figures, checked_at = now(),
	    cleared_at = NULL, cleared_by = NULL;
	UPDATE quality_flags f SET figures = i, checked_at = now(),
	    cleared_at = now(), cleared_by = who
	FROM jsonb_array_elements(items) i
	WHERE i->>'state' = 'agree' AND f.series_id = $1 AND f.kind = $2
	    AND f.from_ts = (i->>'from')::timestamptz
	    AND f.to_ts = (i->>'to')::timestamptz AND f.cleared_at IS NULL
$$;
