-- What the API does to the network, one function per change, each in the one
-- transaction of its statement. Bodies were checked for types and bounds by
-- the service; what depends on other rows is checked here and refused with a
-- detail and a JSON pointer.

CREATE TYPE answer AS (body json, etag text, location text);

CREATE FUNCTION etag(change bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT '"' || change || '"'
$$;

-- RFC 9110 section 13.1.1; the caller holds the row's lock.
CREATE FUNCTION check_if_match(if_match text, present text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF if_match <> '*' AND NOT present = ANY (
	    regexp_split_to_array(trim(if_match), '\s*,\s*')) THEN
		PERFORM refuse(412, format('it is at version %s now; read it '
		    'again before changing it', present));
	END IF;
END $$;

-- The lock of change_stamp(), which whoever changes knowledge takes before any
-- row's, so that two changes of a node and of its series cannot wait for each
-- other. Nor can a change and the loop: it holds that lock, shared, while it
-- writes plans and commands, whose foreign keys share rows with templates,
-- links and gateways.
CREATE FUNCTION change_begin() RETURNS void LANGUAGE sql AS $$
	SELECT pg_advisory_xact_lock(7305804402)
$$;

CREATE FUNCTION check_code(code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF code !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$' THEN
		PERFORM refuse(422, 'a code has up to 63 letters, digits and '
		    '_ . : - and starts with a letter or digit', '/code');
	END IF;
END $$;

CREATE FUNCTION find_node(wanted text, pointer text) RETURNS nodes
LANGUAGE plpgsql AS $$
DECLARE
	n nodes;
BEGIN
	SELECT * INTO n FROM nodes WHERE code = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(422, format('there is no node %s', wanted),
		    pointer);
	END IF;
	RETURN n;
END $$;

CREATE FUNCTION find_metric(wanted text, pointer text) RETURNS metrics
LANGUAGE plpgsql AS $$
DECLARE
	m metrics;
BEGIN
	SELECT * INTO m FROM metrics WHERE code = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(422, format('there is no metric %s; '
		    '/api/v1/metrics lists them', wanted), pointer);
	END IF;
	RETURN m;
END $$;

-- NULL in, NULL out.
CREATE FUNCTION find_gateway(wanted text, pointer text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	found_id int;
BEGIN
	SELECT id INTO found_id FROM gateways WHERE code = wanted;
	IF found_id IS NULL AND wanted IS NOT NULL THEN
		PERFORM refuse(422, format('there is no gateway %s', wanted),
		    pointer);
	END IF;
	RETURN found_id;
END $$;

-- The zone of that code, made if there is none; a new zone is a row, too, so
-- it is made under the lock. NULL in, NULL out.
CREATE FUNCTION ensure_zone(wanted text) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	found_id int;
BEGIN
	IF wanted !~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$' THEN
		PERFORM refuse(422, 'a zone code has up to 63 letters, digits '
		    'and _ . : - and starts with a letter or digit', '/zone');
	END IF;
	IF wanted IS NOT NULL THEN
		PERFORM change_begin();
		INSERT INTO zones (code) VALUES (wanted)
		    ON CONFLICT (code) DO NOTHING;
		SELECT id INTO found_id FROM zones WHERE code = wanted;
	END IF;
	RETURN found_id;
END $$;

CREATE FUNCTION check_unit(wanted text, m metrics, pointer text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM units WHERE code = wanted
	    AND canonical = m.unit) THEN
		PERFORM refuse(422, format('unit %s does not convert to %s, '
		    'the unit of %s; it takes %s', wanted, m.unit, m.code,
		    (SELECT string_agg(code, ', ' ORDER BY code) FROM units
		    WHERE canonical = m.unit)), pointer);
	END IF;
END $$;

-- The …_json functions are plpgsql because its plans live as long as the
-- session; a nested SQL function is planned anew for every row.

-- Thresholds

CREATE FUNCTION thresholds_json(wanted int) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT coalesce(json_agg(json_build_object(
	    'direction', direction, 'severity', severity,
	    'set_level', set_level, 'clear_level', clear_level,
	    'on_delay_s', on_delay_s, 'off_delay_s', off_delay_s)
	    ORDER BY direction, array_position(
	    ARRAY['info', 'warning', 'critical'], severity)), '[]')
	FROM thresholds WHERE series_id = wanted);
END $$;

CREATE FUNCTION series_thresholds_json(s series) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('node', n.code, 'metric', m.code,
	    'unit', m.unit, 'thresholds', thresholds_json(s.id))
	FROM nodes n, metrics m WHERE n.id = s.node_id AND m.id = s.metric_id
$$;

-- Series

CREATE FUNCTION series_json(s series) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('node', n.code, 'metric', m.code,
	    'unit', s.unit, 'canonical_unit', m.unit, 'kind', s.kind,
	    'cadence_s', s.cadence_s, 'silence_s', s.silence_s,
	    'max_rate_per_min', s.max_rate_per_min,
	    'flatline_s', s.flatline_s, 'outlier_k', s.outlier_k,
	    'thresholds', thresholds_json(s.id),
	    'created_at', rfc3339(s.created_at),
	    'retired_at', rfc3339(s.retired_at))
	FROM nodes n, metrics m WHERE n.id = s.node_id AND m.id = s.metric_id);
END $$;

-- `pointer` is where `body` stands in the whole request.
CREATE FUNCTION series_add(n nodes, body jsonb, pointer text) RETURNS series
LANGUAGE plpgsql AS $$
DECLARE
	m metrics := find_metric(body->>'metric', pointer || '/metric');
	unit text := coalesce(body->>'unit', m.unit);
	s series;
BEGIN
	PERFORM check_unit(unit, m, pointer || '/unit');
	INSERT INTO series (node_id, metric_id, unit, kind, cadence_s,
	    silence_s, max_rate_per_min, flatline_s, outlier_k)
	VALUES (n.id, m.id, unit, coalesce(body->>'kind', m.kind),
	    (body->>'cadence_s')::float8, (body->>'silence_s')::float8,
	    (body->>'max_rate_per_min')::float8,
	    (body->>'flatline_s')::float8, (body->>'outlier_k')::float8)
	ON CONFLICT (node_id, metric_id) DO NOTHING RETURNING * INTO s;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('series %s/%s exists already',
		    n.code, m.code), pointer || '/metric');
	END IF;
	RETURN s;
END $$;

CREATE FUNCTION series_answer(s series, created boolean) RETURNS answer
LANGUAGE sql STABLE AS $$
	SELECT series_json(s), etag(s.change), CASE WHEN created THEN
	    '/api/v1/series/' || n.code || '/' || m.code END
	FROM nodes n, metrics m WHERE n.id = s.node_id AND m.id = s.metric_id
$$;

CREATE FUNCTION series_create(body jsonb) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	n nodes := find_node(body->>'node', '/node');
BEGIN
	IF n.retired_at IS NOT NULL THEN
		PERFORM refuse(409, format('node %s is retired', n.code),
		    '/node');
	END IF;
	RETURN series_answer(series_add(n, body, ''), true);
END $$;

-- The series, locked.
CREATE FUNCTION series_take(node text, metric text, if_match text)
RETURNS series LANGUAGE plpgsql AS $$
DECLARE
	found_row series;
BEGIN
	PERFORM change_begin();
	SELECT s.* INTO found_row FROM series s
	    JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE n.code = node AND m.code = metric FOR UPDATE OF s;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no series %s/%s', node,
		    metric));
	END IF;
	PERFORM check_if_match(if_match, etag(found_row.change));
	RETURN found_row;
END $$;

CREATE FUNCTION series_change(node text, metric text, body jsonb,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	s series := series_take(node, metric, if_match);
BEGIN
	IF body->>'unit' IS NOT NULL THEN
		PERFORM check_unit(body->>'unit', find_metric(metric, ''),
		    '/unit');
	END IF;
	IF (body->>'retired') = 'false' AND EXISTS (SELECT FROM nodes
	    WHERE id = s.node_id AND retired_at IS NOT NULL) THEN
		PERFORM refuse(409, format('node %s is retired', node),
		    '/retired');
	END IF;
	-- Present members first, then what is there; null takes away.
	body := jsonb_build_object('cadence_s', s.cadence_s,
	    'silence_s', s.silence_s, 'max_rate_per_min', s.max_rate_per_min,
	    'flatline_s', s.flatline_s, 'outlier_k', s.outlier_k) || body;
	UPDATE series u SET unit = coalesce(body->>'unit', u.unit),
	    cadence_s = (body->>'cadence_s')::float8,
	    silence_s = (body->>'silence_s')::float8,
	    max_rate_per_min = (body->>'max_rate_per_min')::float8,
	    flatline_s = (body->>'flatline_s')::float8,
	    outlier_k = (body->>'outlier_k')::float8,
	    retired_at = CASE body->>'retired'
	        WHEN 'true' THEN coalesce(u.retired_at, now())
	        WHEN 'false' THEN NULL ELSE u.retired_at END
	WHERE u.id = s.id RETURNING * INTO s;
	RETURN series_answer(s, false);
END $$;

-- Rows that stay keep their id, which rules and anomalies refer to.
CREATE FUNCTION thresholds_put(node text, metric text, body jsonb,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	s series := series_take(node, metric, if_match);
	t record;
	wanted text[] := '{}';
BEGIN
	FOR t IN SELECT ord - 1 AS i, e->>'direction' AS direction,
	    e->>'severity' AS severity, (e->>'set_level')::float8 AS set_level,
	    (e->>'clear_level')::float8 AS clear_level,
	    coalesce((e->>'on_delay_s')::float8, 0) AS on_delay_s,
	    coalesce((e->>'off_delay_s')::float8, 0) AS off_delay_s
	    FROM jsonb_array_elements(body->'thresholds')
	    WITH ORDINALITY u(e, ord)
	LOOP
		IF t.direction || ' ' || t.severity = ANY (wanted) THEN
			PERFORM refuse(422, format('%s %s is given twice',
			    t.direction, t.severity), '/thresholds/' || t.i);
		END IF;
		IF (t.direction = 'high' AND t.clear_level > t.set_level)
		    OR (t.direction = 'low' AND t.clear_level < t.set_level)
		THEN
			PERFORM refuse(422, format('clear_level of a %s '
			    'threshold must not be beyond set_level',
			    t.direction),
			    '/thresholds/' || t.i || '/clear_level');
		END IF;
		wanted := wanted || (t.direction || ' ' || t.severity);
		INSERT INTO thresholds AS h (series_id, direction, severity,
		    set_level, clear_level, on_delay_s, off_delay_s)
		VALUES (s.id, t.direction, t.severity, t.set_level,
		    t.clear_level, t.on_delay_s, t.off_delay_s)
		ON CONFLICT (series_id, direction, severity) DO UPDATE SET
		    set_level = excluded.set_level,
		    clear_level = excluded.clear_level,
		    on_delay_s = excluded.on_delay_s,
		    off_delay_s = excluded.off_delay_s;
	END LOOP;
	DELETE FROM thresholds h WHERE h.series_id = s.id
	    AND NOT h.direction || ' ' || h.severity = ANY (wanted);
	-- The series' version covers its thresholds.
	UPDATE series u SET unit = u.unit WHERE u.id = s.id RETURNING * INTO s;
	RETURN ROW(series_thresholds_json(s), etag(s.change), NULL)::answer;
END $$;

-- Nodes

CREATE FUNCTION node_json(n nodes) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', n.code, 'name', n.name,
	    'type', n.type,
	    'zone', (SELECT code FROM zones WHERE id = n.zone_id),
	    'latitude', n.latitude, 'longitude', n.longitude,
	    'simulated', n.simulated, 'created_at', rfc3339(n.created_at),
	    'retired_at', rfc3339(n.retired_at),
	    'series', (SELECT coalesce(json_agg(series_json(s)
	        ORDER BY m.code), '[]')
	        FROM series s JOIN metrics m ON m.id = s.metric_id
	        WHERE s.node_id = n.id)));
END $$;

-- The version of what node_json() shows, series included.
CREATE FUNCTION node_etag(n nodes) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT etag(greatest(n.change, (SELECT max(change) FROM series
	    WHERE node_id = n.id))));
END $$;

CREATE FUNCTION node_create(body jsonb) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	n nodes;
	e record;
BEGIN
	PERFORM check_code(body->>'code');
	INSERT INTO nodes (code, name, type, zone_id, latitude, longitude,
	    simulated)
	VALUES (body->>'code', coalesce(body->>'name', ''), body->>'type',
	    ensure_zone(body->>'zone'), (body->>'latitude')::float8,
	    (body->>'longitude')::float8,
	    coalesce((body->>'simulated')::boolean, false))
	ON CONFLICT (code) DO NOTHING RETURNING * INTO n;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('node %s exists already%s',
		    body->>'code', (SELECT CASE WHEN retired_at IS NOT NULL
		    THEN ' and is retired' ELSE '' END FROM nodes
		    WHERE code = body->>'code')), '/code');
	END IF;
	IF jsonb_typeof(body->'series') = 'array' THEN
		FOR e IN SELECT s, ord - 1 AS i FROM
		    jsonb_array_elements(body->'series') WITH ORDINALITY u(s, ord)
		LOOP
			PERFORM series_add(n, e.s, '/series/' || e.i);
		END LOOP;
	END IF;
	RETURN ROW(node_json(n), node_etag(n),
	    '/api/v1/nodes/' || n.code)::answer;
END $$;

-- The node, locked.
CREATE FUNCTION node_take(wanted text, if_match text) RETURNS nodes
LANGUAGE plpgsql AS $$
DECLARE
	n nodes;
BEGIN
	PERFORM change_begin();
	SELECT * INTO n FROM nodes WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no node %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, node_etag(n));
	RETURN n;
END $$;

-- Takes a node and its series out of use, or back with the series that left
-- with it.
CREATE FUNCTION node_set_retired(n nodes, retired boolean) RETURNS void
LANGUAGE sql AS $$
	UPDATE series SET retired_at = CASE WHEN retired THEN now() END
	WHERE node_id = n.id AND (n.retired_at IS NULL) = retired
	    AND retired_at IS NOT DISTINCT FROM n.retired_at;
	UPDATE nodes SET retired_at = CASE WHEN retired THEN now() END
	WHERE id = n.id AND (n.retired_at IS NULL) = retired;
$$;

CREATE FUNCTION node_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	n nodes := node_take(wanted, if_match);
BEGIN
	IF body->>'retired' IS NOT NULL THEN
		PERFORM node_set_retired(n, (body->>'retired')::boolean);
	END IF;
	UPDATE nodes u SET type = coalesce(body->>'type', u.type),
	    name = CASE WHEN body ? 'name'
	        THEN coalesce(body->>'name', '') ELSE u.name END,
	    zone_id = CASE WHEN body ? 'zone'
	        THEN ensure_zone(body->>'zone') ELSE u.zone_id END,
	    latitude = CASE WHEN body ? 'latitude'
	        THEN (body->>'latitude')::float8 ELSE u.latitude END,
	    longitude = CASE WHEN body ? 'longitude'
	        THEN (body->>'longitude')::float8 ELSE u.longitude END,
	    simulated = coalesce((body->>'simulated')::boolean, u.simulated)
	WHERE u.id = n.id RETURNING * INTO n;
	RETURN ROW(node_json(n), node_etag(n), NULL)::answer;
END $$;

CREATE FUNCTION node_retire(wanted text, if_match text) RETURNS answer
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM node_set_retired(node_take(wanted, if_match), true);
	RETURN NULL;
END $$;

-- Links

CREATE FUNCTION link_json(l links) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', l.code, 'type', l.type,
	    'from_node', f.code, 'to_node', t.code, 'gateway', g.code,
	    'created_at', rfc3339(l.created_at))
	FROM nodes f CROSS JOIN nodes t
	    LEFT JOIN gateways g ON g.id = l.gateway_id
	WHERE f.id = l.from_node AND t.id = l.to_node);
END $$;

CREATE FUNCTION link_create(body jsonb) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	f nodes := find_node(body->>'from_node', '/from_node');
	t nodes := find_node(body->>'to_node', '/to_node');
	l links;
BEGIN
	PERFORM check_code(body->>'code');
	IF f.id = t.id THEN
		PERFORM refuse(422, 'a link joins two different nodes',
		    '/to_node');
	END IF;
	INSERT INTO links (code, type, from_node, to_node, gateway_id)
	VALUES (body->>'code', body->>'type', f.id, t.id,
	    find_gateway(body->>'gateway', '/gateway'))
	ON CONFLICT (code) DO NOTHING RETURNING * INTO l;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('link %s exists already',
		    body->>'code'), '/code');
	END IF;
	RETURN ROW(link_json(l), etag(l.change),
	    '/api/v1/links/' || l.code)::answer;
END $$;

CREATE FUNCTION link_take(wanted text, if_match text) RETURNS links
LANGUAGE plpgsql AS $$
DECLARE
	l links;
BEGIN
	PERFORM change_begin();
	SELECT * INTO l FROM links WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no link %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(l.change));
	RETURN l;
END $$;

CREATE FUNCTION link_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	l links := link_take(wanted, if_match);
BEGIN
	UPDATE links u SET gateway_id = CASE WHEN body ? 'gateway'
	    THEN find_gateway(body->>'gateway', '/gateway')
	    ELSE u.gateway_id END
	WHERE u.id = l.id RETURNING * INTO l;
	RETURN ROW(link_json(l), etag(l.change), NULL)::answer;
END $$;

CREATE FUNCTION link_delete(wanted text, if_match text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	l links := link_take(wanted, if_match);
BEGIN
	IF EXISTS (SELECT FROM commands WHERE link_id = l.id) THEN
		PERFORM refuse(409, format('commands of the past name link '
		    '%s; set its gateway to null instead', wanted));
	END IF;
	DELETE FROM links WHERE id = l.id;
	RETURN NULL;
END $$;

-- Gateways

CREATE FUNCTION gateway_json(g gateways) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', g.code, 'name', g.name, 'url', g.url,
	    'created_at', rfc3339(g.created_at),
	    'failures_in_a_row', coalesce(b.failures, 0),
	    'held_until', CASE WHEN b.open_until > now()
	        THEN rfc3339(b.open_until) END,
	    'links', (SELECT coalesce(json_agg(l.code ORDER BY l.code), '[]')
	        FROM links l WHERE l.gateway_id = g.id))
	FROM (VALUES (1)) one
	    LEFT JOIN gateway_breakers b ON b.gateway_id = g.id);
END $$;

CREATE FUNCTION check_url(url text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF url !~ '^https?://[^/@\s]+(/\S*)?$' THEN
		PERFORM refuse(422, 'url must be http://host… or '
		    'https://host…, without user, password or spaces',
		    '/url');
	END IF;
END $$;

CREATE FUNCTION gateway_create(body jsonb) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	g gateways;
BEGIN
	PERFORM check_code(body->>'code'), check_url(body->>'url');
	INSERT INTO gateways (code, name, url)
	VALUES (body->>'code', coalesce(body->>'name', ''), body->>'url')
	ON CONFLICT (code) DO NOTHING RETURNING * INTO g;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('gateway %s exists already',
		    body->>'code'), '/code');
	END IF;
	RETURN ROW(gateway_json(g), etag(g.change),
	    '/api/v1/gateways/' || g.code)::answer;
END $$;

CREATE FUNCTION gateway_change(wanted text, body jsonb,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	g gateways;
BEGIN
	PERFORM change_begin();
	SELECT * INTO g FROM gateways WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no gateway %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(g.change)),
	    check_url(body->>'url');
	UPDATE gateways u SET url = coalesce(body->>'url', u.url),
	    name = CASE WHEN body ? 'name'
	        THEN coalesce(body->>'name', '') ELSE u.name END
	WHERE u.id = g.id RETURNING * INTO g;
	RETURN ROW(gateway_json(g), etag(g.change), NULL)::answer;
END $$;
