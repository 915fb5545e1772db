-- Whoever changes knowledge takes the lock of change_stamp() before any row,
-- as node_take() and series_take() do. The loop holds that lock, shared, while
-- it writes plans and commands, whose foreign keys share rows with templates,
-- links and gateways; taken the other way round each would wait for the other.

CREATE OR REPLACE FUNCTION link_take(wanted text, if_match text) RETURNS links
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

CREATE OR REPLACE FUNCTION gateway_change(wanted text, body jsonb,
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

CREATE OR REPLACE FUNCTION template_change(wanted text, body jsonb,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	t plan_templates;
BEGIN
	PERFORM change_begin();
	SELECT * INTO t FROM plan_templates WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan template %s',
		    wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(t.change));
	t := template_merge(t, body);
	IF jsonb_typeof(body->'actions') = 'array' THEN
		PERFORM template_actions_put(t.id, body->'actions');
	END IF;
	UPDATE plan_templates u SET name = t.name, metric_id = t.metric_id,
	    anomaly_type = t.anomaly_type, direction = t.direction,
	    least_severity = t.least_severity, node_type = t.node_type,
	    priority = t.priority, effect_metric_id = t.effect_metric_id,
	    effect_direction = t.effect_direction,
	    effect_least = t.effect_least,
	    effect_window_s = t.effect_window_s, expires_s = t.expires_s,
	    command_life_s = t.command_life_s, enabled = t.enabled
	WHERE u.id = t.id RETURNING * INTO t;
	RETURN ROW(template_json(t), etag(t.change), NULL)::answer;
END $$;

-- A new zone is a row, too; node_change() makes one under the lock.
CREATE OR REPLACE FUNCTION ensure_zone(wanted text) RETURNS int
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
