-- Commands that were sent and brought no clear answer are asked about, never
-- sent again blindly; what ends unexecuted is a dead letter, which a person
-- sends on its way again or settles. "done" is "executed" now.

ALTER TABLE commands DROP CONSTRAINT commands_state_check;
ALTER TABLE commands
	ADD COLUMN repeatable boolean NOT NULL DEFAULT false,
	ADD COLUMN asked      int NOT NULL DEFAULT 0, -- in a row, unclear
	ADD COLUMN ask_until  timestamptz,
	ADD COLUMN dead_at    timestamptz; -- a dead letter since
-- A new word for the same state is no event.
ALTER TABLE commands DISABLE TRIGGER USER;
UPDATE commands SET state = 'executed' WHERE state = 'done';
UPDATE commands SET dead_at = closed_at WHERE state IN ('failed', 'expired');
ALTER TABLE commands ENABLE TRIGGER USER;
ALTER TABLE commands ADD CONSTRAINT commands_state_check CHECK (state IN (
	'planned', 'queued', 'sent', 'accepted', 'executed', 'verified',
	'unknown', 'failed', 'expired', 'cancelled'));
DROP INDEX commands_due_idx;
CREATE INDEX commands_due_idx ON commands (next_attempt_at)
	WHERE state IN ('queued', 'sent', 'accepted', 'unknown')
	    AND dead_at IS NULL;
CREATE INDEX commands_dead_idx ON commands (id) WHERE dead_at IS NOT NULL;
CREATE INDEX commands_state_idx ON commands (state, id);
CREATE INDEX commands_link_idx ON commands (link_id, id);
CREATE INDEX commands_gateway_idx ON commands (gateway_id, id);

-- Doing it twice does no harm: it may be sent again without asking.
ALTER TABLE template_actions
	ADD COLUMN repeatable boolean NOT NULL DEFAULT false;

-- The gateway's secret is derived from the service's and this; 0: the first.
ALTER TABLE gateways ADD COLUMN secret_version int NOT NULL DEFAULT 0;

-- What is asked again moves from unknown to unknown.
DROP TRIGGER audit_change ON commands;
CREATE TRIGGER audit_change AFTER UPDATE ON commands
	FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state
	    OR NEW.attempts IS DISTINCT FROM OLD.attempts
	    OR NEW.dead_at IS DISTINCT FROM OLD.dead_at)
	EXECUTE FUNCTION audit_note('change', 'next_attempt_at', 'asked',
	    'ask_until');

-- Templates

CREATE OR REPLACE FUNCTION template_json(t plan_templates) RETURNS json
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
	        'argument', a.argument, 'repeatable', a.repeatable)
	        ORDER BY a.step), '[]')
	        FROM template_actions a WHERE a.template_id = t.id))
	FROM metrics m LEFT JOIN metrics e ON e.id = t.effect_metric_id
	WHERE m.id = t.metric_id);
END $$;

CREATE OR REPLACE FUNCTION template_actions_put(wanted int, actions jsonb)
RETURNS void LANGUAGE plpgsql AS $$
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
		    target_type, target_relation, argument, repeatable)
		VALUES (wanted, (a.e->>'step')::int, a.e->>'action',
		    a.e->>'target_type', a.e->>'target_relation',
		    coalesce(nullif(a.e->'argument', 'null'), '{}'),
		    coalesce((a.e->>'repeatable')::boolean, false))
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			PERFORM refuse(422, format('step %s is given twice',
			    a.e->>'step'), '/actions/' || a.i || '/step');
		END IF;
	END LOOP;
END $$;

-- Gateways

CREATE OR REPLACE FUNCTION gateway_json(g gateways) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', g.code, 'name', g.name,
	    'url', g.url, 'created_at', rfc3339(g.created_at),
	    'secret_version', g.secret_version,
	    'failures_in_a_row', coalesce(b.failures, 0),
	    'held_until', CASE WHEN b.open_until > now()
	        THEN rfc3339(b.open_until) END,
	    'links', (SELECT coalesce(json_agg(l.code ORDER BY l.code), '[]')
	        FROM links l WHERE l.gateway_id = g.id))
	FROM (VALUES (1)) one
	    LEFT JOIN gateway_breakers b ON b.gateway_id = g.id);
END $$;

-- The secret itself is never here: the service derives it.
CREATE FUNCTION gateway_secret_turn(wanted text) RETURNS gateways
LANGUAGE plpgsql AS $$
DECLARE
	g gateways;
BEGIN
	PERFORM change_begin();
	UPDATE gateways SET secret_version = secret_version + 1
	WHERE code = wanted RETURNING * INTO g;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no gateway %s', wanted));
	END IF;
	RETURN g;
END $$;

-- Commands

CREATE FUNCTION command_json(c commands) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', c.id, 'plan', c.plan_id,
	    'step', c.step, 'state', c.state, 'link', l.code,
	    'gateway', g.code, 'action', c.action, 'argument', c.argument,
	    'repeatable', c.repeatable, 'key', c.key,
	    'not_after', rfc3339(c.not_after),
	    'next_attempt_at', rfc3339(c.next_attempt_at),
	    'attempts', c.attempts, 'asked', c.asked,
	    'ask_until', rfc3339(c.ask_until), 'last_error', c.last_error,
	    'sent_at', rfc3339(c.sent_at),
	    'closed_at', rfc3339(c.closed_at),
	    'dead_at', rfc3339(c.dead_at))
	FROM links l, gateways g
	WHERE l.id = c.link_id AND g.id = c.gateway_id);
END $$;

CREATE OR REPLACE FUNCTION commands_json(wanted bigint) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(command_json(c) ORDER BY c.step), '[]')
	FROM commands c WHERE c.plan_id = wanted
$$;

-- All of command_json() and its moves, as text, which keeps the order.
CREATE FUNCTION command_detail_json(c commands) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT (left(command_json(c)::text, -1) || ', ' ||
	    substr(json_build_object('plan_state', p.state,
	    'anomaly', p.anomaly_id,
	    'transitions', transitions_json('command', ARRAY[c.id]))::text, 2)
	    )::json
	FROM plans p WHERE p.id = c.plan_id
$$;

-- The command, its plan and the plan's commands, locked in that order.
CREATE FUNCTION command_take(wanted bigint, who text) RETURNS commands
LANGUAGE plpgsql AS $$
DECLARE
	c commands;
BEGIN
	PERFORM FROM plans p WHERE p.id = (SELECT plan_id FROM commands
	    WHERE id = wanted) FOR UPDATE;
	PERFORM FROM commands WHERE plan_id = (SELECT plan_id FROM commands
	    WHERE id = wanted) ORDER BY id FOR UPDATE;
	SELECT * INTO c FROM commands WHERE id = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no command %s', wanted));
	END IF;
	PERFORM check_zones(who, format('plan %s', c.plan_id),
	    ARRAY(SELECT series_zone(a.series_id) FROM anomalies a
	        JOIN plans p ON p.anomaly_id = a.id WHERE p.id = c.plan_id
	    UNION SELECT n.zone_id FROM commands o
	        JOIN links l ON l.id = o.link_id
	        JOIN nodes n ON n.id = l.to_node
	        WHERE o.plan_id = c.plan_id));
	RETURN c;
END $$;

-- A person's moves of commands; row ids are those of command_fsm.
CREATE FUNCTION command_moved(c commands, row_id text, to_state text,
    who text, facts jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	SELECT 'command', c.id, row_id, c.state, to_state, clock_timestamp(),
	    who, facts, p.knowledge_version
	FROM plans p WHERE p.id = c.plan_id
$$;

CREATE FUNCTION plan_moved(p plans, row_id text, to_state text, who text,
    facts jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	VALUES ('plan', p.id, row_id, p.state, to_state, clock_timestamp(),
	    who, facts, p.knowledge_version)
$$;

-- Whatever of the failed plan was not executed is on its way again: what is
-- unknown is asked about, the rest leaves under a new key and a new
-- not-after, for its old key may be used up. The guards look at all of it.
CREATE FUNCTION command_redrive(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	c commands := command_take(wanted, who);
	p plans;
	o commands;
	t timestamptz := clock_timestamp();
	ends timestamptz;
	live bigint;
BEGIN
	SELECT * INTO p FROM plans WHERE id = c.plan_id;
	IF p.state <> 'failed' OR c.state IN ('executed', 'verified') THEN
		PERFORM refuse(409, format('command %s is %s and its plan %s: '
		    'only what has failed is sent on its way again', wanted,
		    c.state, p.state));
	END IF;
	SELECT q.id INTO live FROM plans q JOIN commands k ON k.plan_id = q.id
	WHERE q.closed_at IS NULL AND k.link_id IN (SELECT link_id
	    FROM commands WHERE plan_id = p.id) LIMIT 1;
	IF live IS NOT NULL THEN
		PERFORM refuse(409, format('plan %s is about the same link; '
		    'decide on that one', live));
	END IF;
	ends := t + p.command_life_s * interval '1 s';
	UPDATE plans SET state = 'approved', closed_at = NULL
	WHERE id = p.id;
	PERFORM plan_moved(p, 'P12', 'approved', who, jsonb_build_object(
	    'command', wanted, 'reason', body->>'reason'));
	FOR o IN SELECT * FROM commands WHERE plan_id = p.id
	    AND state IN ('failed', 'expired', 'cancelled', 'unknown')
	    ORDER BY step
	LOOP
		PERFORM command_moved(o, CASE o.state WHEN 'failed' THEN 'C22'
		    WHEN 'expired' THEN 'C23' WHEN 'cancelled' THEN 'C24'
		    ELSE 'C26' END, CASE o.state WHEN 'unknown'
		    THEN 'unknown' ELSE 'queued' END, who,
		    jsonb_build_object('reason', body->>'reason',
		    'key', o.key, 'not_after', rfc3339(o.not_after),
		    'attempts', o.attempts));
		UPDATE commands SET asked = 0, ask_until = NULL,
		    dead_at = NULL, closed_at = NULL, next_attempt_at = t,
		    state = CASE o.state WHEN 'unknown' THEN 'unknown'
		        ELSE 'queued' END,
		    key = CASE o.state WHEN 'unknown' THEN o.key
		        ELSE gen_random_uuid() END,
		    not_after = CASE o.state WHEN 'unknown' THEN o.not_after
		        ELSE ends END,
		    attempts = CASE o.state WHEN 'unknown' THEN o.attempts
		        ELSE 0 END
		WHERE id = o.id;
	END LOOP;
	SELECT * INTO c FROM commands WHERE id = wanted;
	RETURN ROW(command_detail_json(c), NULL, NULL)::answer;
END $$;

-- Somebody looked: an unknown command was executed or was not.
CREATE FUNCTION command_settle(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	c commands := command_take(wanted, who);
	p plans;
	done boolean := body->>'outcome' = 'executed';
	t timestamptz := clock_timestamp();
BEGIN
	IF c.state <> 'unknown' OR c.dead_at IS NULL THEN
		PERFORM refuse(409, format('command %s is %s%s', wanted,
		    c.state, CASE WHEN c.state = 'unknown'
		    THEN ' and is being asked about still' ELSE '' END));
	END IF;
	PERFORM command_moved(c, CASE WHEN done THEN 'C16' ELSE 'C18' END,
	    CASE WHEN done THEN 'executed' ELSE 'failed' END, who,
	    jsonb_build_object('reason', body->>'reason'));
	UPDATE commands SET closed_at = t,
	    state = CASE WHEN done THEN 'executed' ELSE 'failed' END,
	    dead_at = CASE WHEN done THEN NULL ELSE dead_at END
	WHERE id = wanted RETURNING * INTO c;
	SELECT * INTO p FROM plans WHERE id = c.plan_id;
	IF p.state = 'failed' AND NOT EXISTS (SELECT FROM commands
	    WHERE plan_id = p.id AND state <> 'executed') THEN
		PERFORM plan_moved(p, 'P14', 'verifying', who,
		    jsonb_build_object('command', wanted));
		UPDATE plans SET state = 'verifying', executed_at = t,
		    closed_at = NULL WHERE id = p.id;
	END IF;
	RETURN ROW(command_detail_json(c), NULL, NULL)::answer;
END $$;
