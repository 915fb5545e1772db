-- What people do to plan templates, anomalies, plans and the loop.

-- Plan templates

CREATE FUNCTION template_json(t plan_templates) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', t.code, 'name', t.name,
	    'metric', m.code, 'anomaly_type', t.anomaly_type,
	    'direction', t.direction, 'least_severity', t.least_severity,
	    'node_type', t.node_type, 'priority', t.priority,
	    'effect_metric', e.code, 'effect_direction', t.effect_direction,
	    'effect_least', t.effect_least, 'effect_unit', e.unit,
	    'effect_window_s', t.effect_window_s, 'expires_s', t.expires_s,
	    'command_life_s', t.command_life_s, 'enabled', t.enabled,
	    'actions', (SELECT coalesce(json_agg(json_build_object(
	        'step', a.step, 'action', a.action,
	        'target_type', a.target_type,
	        'target_relation', a.target_relation,
	        'argument', a.argument) ORDER BY a.step), '[]')
	        FROM template_actions a WHERE a.template_id = t.id))
	FROM metrics m LEFT JOIN metrics e ON e.id = t.effect_metric_id
	WHERE m.id = t.metric_id);
END $$;

CREATE FUNCTION template_actions_put(wanted int, actions jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a record;
BEGIN
	DELETE FROM template_actions WHERE template_id = wanted;
	FOR a IN SELECT e, ord - 1 AS i FROM jsonb_array_elements(actions)
	    WITH ORDINALITY u(e, ord)
	LOOP
		IF a.e->>'action' !~ '^[a-z_]{1,40}$' THEN
			PERFORM refuse(422, 'an action has up to 40 lower-case '
			    'letters and _', '/actions/' || a.i || '/action');
		END IF;
		INSERT INTO template_actions (template_id, step, action,
		    target_type, target_relation, argument)
		VALUES (wanted, (a.e->>'step')::int, a.e->>'action',
		    a.e->>'target_type', a.e->>'target_relation',
		    coalesce(nullif(a.e->'argument', 'null'), '{}'))
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			PERFORM refuse(422, format('step %s is given twice',
			    a.e->>'step'), '/actions/' || a.i || '/step');
		END IF;
	END LOOP;
END $$;

-- A row of the table from a checked body; `t` gives what the body does not.
CREATE FUNCTION template_merge(t plan_templates, body jsonb)
RETURNS plan_templates LANGUAGE plpgsql AS $$
DECLARE
	m metrics;
BEGIN
	IF body->>'metric' IS NOT NULL THEN
		m := find_metric(body->>'metric', '/metric');
		t.metric_id := m.id;
	END IF;
	IF body ? 'effect_metric' THEN
		m := NULL;
		IF body->>'effect_metric' IS NOT NULL THEN
			m := find_metric(body->>'effect_metric',
			    '/effect_metric');
		END IF;
		t.effect_metric_id := m.id;
	END IF;
	-- NULL is no value for these: it leaves what is there.
	t.name := coalesce(body->>'name', t.name);
	t.least_severity := coalesce(body->>'least_severity',
	    t.least_severity);
	t.priority := coalesce((body->>'priority')::int, t.priority, 100);
	t.effect_least := coalesce((body->>'effect_least')::float8,
	    t.effect_least, 0);
	t.effect_window_s := coalesce((body->>'effect_window_s')::float8,
	    t.effect_window_s);
	t.expires_s := coalesce((body->>'expires_s')::float8, t.expires_s,
	    3600);
	t.command_life_s := coalesce((body->>'command_life_s')::float8,
	    t.command_life_s, 300);
	t.enabled := coalesce((body->>'enabled')::boolean, t.enabled, true);
	-- For these it means any.
	IF body ? 'anomaly_type' THEN
		t.anomaly_type := body->>'anomaly_type';
	END IF;
	IF body ? 'direction' THEN
		t.direction := body->>'direction';
	END IF;
	IF body ? 'node_type' THEN
		t.node_type := body->>'node_type';
	END IF;
	IF body ? 'effect_direction' THEN
		t.effect_direction := body->>'effect_direction';
	END IF;
	IF (t.effect_metric_id IS NULL) <> (t.effect_direction IS NULL) THEN
		PERFORM refuse(422, 'effect_metric and effect_direction are '
		    'given together or not at all', CASE WHEN
		    t.effect_metric_id IS NULL THEN '/effect_metric'
		    ELSE '/effect_direction' END);
	END IF;
	RETURN t;
END $$;

CREATE FUNCTION template_create(body jsonb) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	t plan_templates := template_merge(NULL, body);
BEGIN
	PERFORM check_code(body->>'code');
	INSERT INTO plan_templates (code, name, metric_id, anomaly_type,
	    direction, least_severity, node_type, priority, effect_metric_id,
	    effect_direction, effect_least, effect_window_s, expires_s,
	    command_life_s, enabled)
	VALUES (body->>'code', t.name, t.metric_id, t.anomaly_type,
	    t.direction, t.least_severity, t.node_type, t.priority,
	    t.effect_metric_id, t.effect_direction, t.effect_least,
	    t.effect_window_s, t.expires_s, t.command_life_s, t.enabled)
	ON CONFLICT (code) DO NOTHING RETURNING * INTO t;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('plan template %s exists already',
		    body->>'code'), '/code');
	END IF;
	PERFORM template_actions_put(t.id, body->'actions');
	RETURN ROW(template_json(t), etag(t.change),
	    '/api/v1/plan-templates/' || t.code)::answer;
END $$;

CREATE FUNCTION template_change(wanted text, body jsonb,
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

-- Anomalies

-- Moves of a subject, oldest first.
CREATE FUNCTION transitions_json(wanted text, ids bigint[]) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('id', id,
	    'subject', subject, 'subject_id', subject_id, 'row', row_id,
	    'from', from_state, 'to', to_state, 'at', rfc3339(at),
	    'actor', actor, 'facts', facts,
	    'knowledge_version', knowledge_version) ORDER BY id), '[]')
	FROM transitions WHERE subject = wanted AND subject_id = ANY (ids)
$$;

CREATE FUNCTION anomaly_json(a anomalies) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', a.id, 'state', a.state,
	    'node', n.code, 'metric', m.code, 'unit', m.unit,
	    'zone', (SELECT code FROM zones WHERE id = n.zone_id),
	    'type', a.type, 'direction', a.direction, 'severity', a.severity,
	    'rule', a.rule_id, 'first_at', rfc3339(a.first_at),
	    'last_at', rfc3339(a.last_at),
	    'raised_at', rfc3339(a.raised_at),
	    'cleared_at', rfc3339(a.cleared_at),
	    'value', nullif(a.value, 'NaN'),
	    'limit', nullif(a.limit_value, 'NaN'),
	    'planning', a.planning, 'acked_at', rfc3339(a.acked_at),
	    'acked_by', a.acked_by, 'ack_note', a.ack_note)
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE s.id = a.series_id);
END $$;

-- The first acknowledgement stays.
CREATE FUNCTION anomaly_ack(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies;
BEGIN
	SELECT * INTO a FROM anomalies WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no anomaly %s', wanted));
	END IF;
	IF a.acked_by IS DISTINCT FROM who AND a.acked_at IS NOT NULL THEN
		PERFORM refuse(409, format('anomaly %s was acknowledged by %s '
		    'at %s', wanted, a.acked_by, rfc3339(a.acked_at)));
	END IF;
	IF a.acked_at IS NULL THEN
		UPDATE anomalies u SET acked_at = now(), acked_by = who,
		    ack_note = body->>'note'
		WHERE u.id = wanted RETURNING * INTO a;
	END IF;
	RETURN ROW(anomaly_json(a), NULL, NULL)::answer;
END $$;

-- Plans

CREATE FUNCTION plan_json(p plans) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'state', p.state,
	    'anomaly', p.anomaly_id, 'node', n.code, 'metric', m.code,
	    'severity', a.severity,
	    'template', t.code, 'proposed_at', rfc3339(p.proposed_at),
	    'expires_at', rfc3339(p.expires_at),
	    'decided_at', rfc3339(p.decided_at), 'decided_by', p.decided_by,
	    'decision_reason', p.decision_reason,
	    'executed_at', rfc3339(p.executed_at),
	    'closed_at', rfc3339(p.closed_at))
	FROM anomalies a JOIN series s ON s.id = a.series_id
	    JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id, plan_templates t
	WHERE a.id = p.anomaly_id AND t.id = p.template_id);
END $$;

-- All of anomaly_json() and what it rests on: two objects joined to one, as
-- text, which keeps the members' order.
CREATE FUNCTION anomaly_detail_json(a anomalies) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT (left(anomaly_json(a)::text, -1) || ', ' ||
	    substr(json_build_object('evidence', a.evidence,
	    'planning_reasons', a.planning_reasons,
	    'knowledge_version', a.knowledge_version,
	    'transitions', transitions_json('anomaly', ARRAY[a.id]),
	    'plans', (SELECT coalesce(json_agg(plan_json(p) ORDER BY p.id),
	        '[]') FROM plans p WHERE p.anomaly_id = a.id))::text, 2)
	    )::json
$$;

CREATE FUNCTION commands_json(wanted bigint) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('id', c.id,
	    'step', c.step, 'state', c.state, 'link', l.code,
	    'gateway', g.code, 'action', c.action, 'argument', c.argument,
	    'key', c.key, 'not_after', rfc3339(c.not_after),
	    'next_attempt_at', rfc3339(c.next_attempt_at),
	    'attempts', c.attempts, 'last_error', c.last_error,
	    'sent_at', rfc3339(c.sent_at),
	    'closed_at', rfc3339(c.closed_at)) ORDER BY c.step), '[]')
	FROM commands c JOIN links l ON l.id = c.link_id
	    JOIN gateways g ON g.id = c.gateway_id
	WHERE c.plan_id = wanted
$$;

CREATE FUNCTION plan_detail_json(p plans) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', p.id, 'state', p.state,
	    'anomaly', anomaly_json(a), 'template', template_json(t),
	    'proposed_at', rfc3339(p.proposed_at),
	    'expires_at', rfc3339(p.expires_at),
	    'decided_at', rfc3339(p.decided_at), 'decided_by', p.decided_by,
	    'decision_reason', p.decision_reason,
	    'executed_at', rfc3339(p.executed_at),
	    'closed_at', rfc3339(p.closed_at),
	    'command_life_s', p.command_life_s,
	    'effect', (SELECT json_build_object('node', n.code,
	        'metric', m.code, 'unit', m.unit,
	        'direction', p.effect_direction, 'least', p.effect_least,
	        'window_s', p.effect_window_s)
	        FROM series s JOIN nodes n ON n.id = s.node_id
	        JOIN metrics m ON m.id = s.metric_id
	        WHERE s.id = p.effect_series_id),
	    'commands', commands_json(p.id), 'reasons', p.reasons,
	    'verdict', p.verdict, 'knowledge_version', p.knowledge_version,
	    'transitions', transitions_json('plan', ARRAY[p.id]),
	    'command_transitions', transitions_json('command',
	        ARRAY(SELECT id FROM commands WHERE plan_id = p.id)))
	FROM anomalies a, plan_templates t
	WHERE a.id = p.anomaly_id AND t.id = p.template_id
$$;

-- The moves a person makes; row ids are those of plan_fsm and command_fsm.
CREATE TABLE decisions (
	decision     text PRIMARY KEY,
	plan_row     text NOT NULL,
	plan_to      text NOT NULL,
	command_row  text NOT NULL,
	command_to   text NOT NULL
);
INSERT INTO decisions VALUES
	('approve', 'P1', 'approved', 'C1', 'queued'),
	('reject',  'P2', 'rejected', 'C2', 'cancelled');

CREATE FUNCTION plan_decide(wanted bigint, chosen text, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	d decisions;
	p plans;
	t timestamptz;
BEGIN
	SELECT * INTO STRICT d FROM decisions WHERE decision = chosen;
	SELECT * INTO p FROM plans WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan %s', wanted));
	END IF;
	t := clock_timestamp(); -- now that it is ours
	IF p.state <> 'proposed' THEN
		PERFORM refuse(409, format('plan %s is %s, not proposed',
		    wanted, p.state));
	END IF;
	IF p.expires_at <= t THEN
		PERFORM refuse(409, format('plan %s expired at %s', wanted,
		    rfc3339(p.expires_at)));
	END IF;
	UPDATE plans u SET state = d.plan_to, decided_at = t,
	    decided_by = who, decision_reason = body->>'reason',
	    closed_at = CASE WHEN d.plan_to = 'rejected' THEN t END
	WHERE u.id = wanted RETURNING * INTO p;
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	VALUES ('plan', wanted, d.plan_row, 'proposed', d.plan_to, t, who,
	    jsonb_build_object('reason', body->>'reason'),
	    p.knowledge_version);
	WITH moved AS (
		UPDATE commands SET state = d.command_to,
		    not_after = CASE WHEN d.command_to = 'queued'
		        THEN t + p.command_life_s * interval '1 s' END,
		    next_attempt_at = CASE WHEN d.command_to = 'queued'
		        THEN t END,
		    closed_at = CASE WHEN d.command_to = 'cancelled'
		        THEN t END
		WHERE plan_id = wanted AND state = 'planned' RETURNING id
	)
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	SELECT 'command', id, d.command_row, 'planned', d.command_to, t, who,
	    jsonb_build_object('plan', wanted), p.knowledge_version
	FROM moved ORDER BY id;
	RETURN ROW(plan_detail_json(p), NULL, NULL)::answer;
END $$;

-- The loop

CREATE FUNCTION loop_json(l loop_status) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('paused', l.paused,
	    'paused_by', l.paused_by, 'paused_at', rfc3339(l.paused_at),
	    'system_state', l.system_state, 'cycle', l.cycle,
	    'cycle_at', rfc3339(l.cycle_at),
	    'age_s', extract(epoch FROM now() - l.cycle_at),
	    'instance', l.instance, 'figures', l.figures)
$$;

-- The first to pause stays named.
CREATE FUNCTION loop_pause(wanted boolean, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	l loop_status;
BEGIN
	UPDATE loop_status SET paused = wanted,
	    paused_by = CASE WHEN wanted THEN who END,
	    paused_at = CASE WHEN wanted THEN now() END
	WHERE paused <> wanted;
	SELECT * INTO l FROM loop_status;
	RETURN ROW(loop_json(l), NULL, NULL)::answer;
END $$;
