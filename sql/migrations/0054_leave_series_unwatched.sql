-- People say which series its own past shall not judge (src/mape/unusual.h).
ALTER TABLE series ADD watched boolean NOT NULL DEFAULT true;

CREATE OR REPLACE FUNCTION series_json(s series) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('node', n.code, 'metric', m.code,
	    'unit', s.unit, 'canonical_unit', m.unit, 'kind', s.kind,
	    'cadence_s', s.cadence_s, 'silence_s', s.silence_s,
	    'max_rate_per_min', s.max_rate_per_min,
	    'flatline_s', s.flatline_s, 'outlier_k', s.outlier_k,
	    'register_max', s.register_max, 'watched', s.watched,
	    'thresholds', thresholds_json(s.id),
	    'created_at', rfc3339(s.created_at),
	    'retired_at', rfc3339(s.retired_at))
	FROM nodes n, metrics m WHERE n.id = s.node_id AND m.id = s.metric_id);
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
	    silence_s, max_rate_per_min, flatline_s, outlier_k, register_max,
	    watched)
	VALUES (n.id, m.id, unit, kind, (body->>'cadence_s')::float8,
	    (body->>'silence_s')::float8,
	    (body->>'max_rate_per_min')::float8,
	    (body->>'flatline_s')::float8, (body->>'outlier_k')::float8,
	    (body->>'register_max')::float8,
	    coalesce((body->>'watched')::boolean, true))
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
	    'register_max', s.register_max, 'watched', s.watched) || body;
	UPDATE series u SET unit = coalesce(body->>'unit', u.unit),
	    cadence_s = (body->>'cadence_s')::float8,
	    silence_s = (body->>'silence_s')::float8,
	    max_rate_per_min = (body->>'max_rate_per_min')::float8,
	    flatline_s = (body->>'flatline_s')::float8,
	    outlier_k = (body->>'outlier_k')::float8,
	    register_max = (body->>'register_max')::float8,
	    watched = coalesce((body->>'watched')::boolean, true),
	    retired_at = CASE body->>'retired'
	        WHEN 'true' THEN coalesce(u.retired_at, now())
	        WHEN 'false' THEN NULL ELSE u.retired_at END
	WHERE u.id = s.id RETURNING * INTO s;
	RETURN series_answer(s, false);
END $$;

DROP TRIGGER event_changed ON series;
CREATE CONSTRAINT TRIGGER event_changed AFTER UPDATE ON series
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN ((NEW.cadence_s, NEW.silence_s, NEW.max_rate_per_min,
	    NEW.flatline_s, NEW.outlier_k, NEW.watched, NEW.retired_at)
	    IS DISTINCT FROM (OLD.cadence_s, OLD.silence_s,
	    OLD.max_rate_per_min, OLD.flatline_s, OLD.outlier_k, OLD.watched,
	    OLD.retired_at))
	EXECUTE FUNCTION event_rule();
