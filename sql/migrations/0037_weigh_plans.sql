-- A template has a risk, which says who must agree, guards of its own, actions
-- side by side and actions that undo it; a plan is agreed to by as many people
-- as its risk asks for; and figures of success that an engineer accepted.

ALTER TABLE plan_templates
	ADD COLUMN risk text NOT NULL DEFAULT 'medium'
	    CHECK (risk IN ('low', 'medium', 'high')),
	-- An approval that is older does not count.
	ADD COLUMN approval_life_s float8 NOT NULL DEFAULT 1800
	    CHECK (approval_life_s > 0),
	ADD COLUMN effect_at text NOT NULL DEFAULT 'node'
	    CHECK (effect_at IN ('node', 'zone')),
	-- Runs unasked in an emergency, once somebody agreed to that beforehand.
	ADD COLUMN protective boolean NOT NULL DEFAULT false,
	ADD COLUMN preapproved_by text,
	ADD COLUMN preapproved_at timestamptz,
	ADD COLUMN changed_by text; -- NULL: before this was kept

-- Those of one step are done side by side; n only tells them apart.
ALTER TABLE template_actions
	ADD COLUMN undo boolean NOT NULL DEFAULT false,
	ADD COLUMN n int NOT NULL DEFAULT 1 CHECK (n BETWEEN 1 AND 20),
	DROP CONSTRAINT template_actions_pkey,
	ADD PRIMARY KEY (template_id, undo, step, n);

-- The metric of the anomaly's node must be within while commands leave.
-- Canonical units.
CREATE TABLE template_guards (
	template_id int NOT NULL REFERENCES plan_templates ON DELETE CASCADE,
	name        text NOT NULL CHECK (name ~ '^[a-z_]{1,40}$'),
	metric_id   int NOT NULL REFERENCES metrics,
	low         float8,
	high        float8,
	PRIMARY KEY (template_id, name),
	CONSTRAINT template_guards_says
	    CHECK (low IS NOT NULL OR high IS NOT NULL),
	CONSTRAINT template_guards_order CHECK (low <= high)
);
CREATE TRIGGER template_guards_changed
	AFTER INSERT OR UPDATE OR DELETE ON template_guards
	FOR EACH STATEMENT EXECUTE FUNCTION change_deleted();
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON template_guards
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');

-- What planning may count on; no row: it was never tried.
CREATE TABLE template_figures (
	template_id int PRIMARY KEY REFERENCES plan_templates
	    ON DELETE CASCADE,
	trials      int NOT NULL CHECK (trials >= 0),
	successes   int NOT NULL CHECK (successes BETWEEN 0 AND trials),
	accepted_at timestamptz NOT NULL,
	accepted_by text NOT NULL
);
CREATE TRIGGER template_figures_changed
	AFTER INSERT OR UPDATE OR DELETE ON template_figures
	FOR EACH STATEMENT EXECUTE FUNCTION change_deleted();
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON template_figures
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_change AFTER UPDATE ON template_figures
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION audit_note('change');

-- What held when it was proposed; authors may not agree to a high risk.
ALTER TABLE plans
	DROP CONSTRAINT plans_state_check,
	ADD CONSTRAINT plans_state_check CHECK (state IN ('proposed',
	    'approved', 'executing', 'verifying', 'worked', 'no_effect',
	    'worse', 'not_provable', 'rejected', 'expired', 'failed',
	    'superseded', 'cancelled', 'undone')),
	ADD COLUMN risk text NOT NULL DEFAULT 'medium'
	    CHECK (risk IN ('low', 'medium', 'high')),
	ADD COLUMN approval_life_s float8 NOT NULL DEFAULT 1800,
	ADD COLUMN authors text[] NOT NULL DEFAULT '{}',
	ADD COLUMN undoes bigint REFERENCES plans;
CREATE INDEX plans_undoes_idx ON plans (undoes) WHERE undoes IS NOT NULL;
ALTER TABLE commands DROP CONSTRAINT commands_plan_id_step_key;
CREATE INDEX commands_plan_idx ON commands (plan_id, step, id);

CREATE TABLE plan_approvals (
	id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	plan_id  bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
	username text NOT NULL, -- or policy:NAME
	at       timestamptz NOT NULL,
	decision text NOT NULL CHECK (decision IN ('approve', 'reject',
	    'override', 'policy')),
	reason   text
);
CREATE INDEX plan_approvals_plan_idx ON plan_approvals (plan_id, id);
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON plan_approvals
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');

-- Whoever agrees does so within his zones, also if others must agree, too.
CREATE FUNCTION check_plan_zones(who text, wanted bigint) RETURNS void
LANGUAGE sql AS $$
	SELECT check_zones(who, format('plan %s', wanted),
	    ARRAY(SELECT series_zone(a.series_id) FROM plans p
	        JOIN anomalies a ON a.id = p.anomaly_id WHERE p.id = wanted
	    UNION SELECT n.zone_id FROM commands c
	        JOIN links l ON l.id = c.link_id
	        JOIN nodes n ON n.id = l.to_node
	        WHERE c.plan_id = wanted))
$$;
CREATE FUNCTION check_approval_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM check_plan_zones(NEW.username, NEW.plan_id);
	RETURN NEW;
END $$;
CREATE TRIGGER plan_approvals_zone BEFORE INSERT ON plan_approvals
	FOR EACH ROW EXECUTE FUNCTION check_approval_zone();

REVOKE UPDATE, DELETE ON plan_approvals FROM penstock_serve;
REVOKE DELETE ON template_figures FROM penstock_serve;

-- Audit

-- As before, and what is new by its template or plan.
CREATE OR REPLACE FUNCTION audit_subject(source text, r jsonb,
    OUT subject text, OUT nodes text[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
	wanted int := r->>'series_id';
BEGIN
	nodes := '{}';
	CASE source
	WHEN 'users' THEN
		subject := r->>'username';
	WHEN 'nodes' THEN
		subject := r->>'code';
		nodes := ARRAY[subject];
	WHEN 'links' THEN
		subject := r->>'code';
		nodes := ARRAY(SELECT code FROM public.nodes n
		    WHERE n.id IN ((r->>'from_node')::int,
		    (r->>'to_node')::int) ORDER BY code);
	WHEN 'zones', 'gateways', 'plan_templates', 'metrics', 'webhooks' THEN
		subject := r->>'code';
	WHEN 'template_actions' THEN
		SELECT code || ' step ' || (r->>'step') INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'webhook_deliveries' THEN
		SELECT code || '/' || (r->>'event_id') INTO subject
		FROM webhooks WHERE id = (r->>'webhook_id')::int;
	WHEN 'hands_off' THEN
		subject := coalesce((SELECT code FROM zones
		    WHERE id = (r->>'zone_id')::int), 'everywhere');
	WHEN 'alarm_holds' THEN
		subject := r->>'id';
		nodes := ARRAY(SELECT code FROM public.nodes n
		    WHERE n.id = (r->>'node_id')::int);
	WHEN 'sessions' THEN
		SELECT username INTO subject FROM users
		WHERE id = (r->>'user_id')::int;
	WHEN 'archives' THEN
		SELECT code || ' ' || left(r->>'from_ts', 7) INTO subject
		FROM retention_classes WHERE id = (r->>'class')::int2;
	WHEN 'series' THEN
		wanted := r->>'id';
	WHEN 'template_guards' THEN
		SELECT code || ' guard ' || (r->>'name') INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'template_figures' THEN
		SELECT code INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'plans', 'commands', 'plan_approvals' THEN
		subject := r->>(CASE source WHEN 'plan_approvals'
		    THEN 'plan_id' ELSE 'id' END);
		SELECT a.series_id INTO wanted FROM plans p
		    JOIN anomalies a ON a.id = p.anomaly_id
		WHERE p.id = (CASE source WHEN 'plans' THEN r->>'id'
		    ELSE r->>'plan_id' END)::bigint;
	WHEN 'loop_status' THEN
		subject := 'loop';
	ELSE
		subject := r->>'id';
	END CASE;
	IF wanted IS NOT NULL THEN
		SELECT CASE WHEN source IN ('series', 'thresholds')
		    THEN n.code || '/' || m.code ELSE subject END,
		    ARRAY[n.code] INTO subject, nodes
		FROM series s JOIN public.nodes n ON n.id = s.node_id
		    JOIN metrics m ON m.id = s.metric_id
		WHERE s.id = wanted;
	END IF;
END $$;

-- Templates

CREATE FUNCTION template_actions_json(wanted int, undoing boolean)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('step', a.step,
	    'action', a.action, 'target_type', a.target_type,
	    'target_relation', a.target_relation, 'argument', a.argument,
	    'repeatable', a.repeatable) ORDER BY a.step, a.n), '[]')
	FROM template_actions a
	WHERE a.template_id = wanted AND a.undo = undoing
$$;

CREATE OR REPLACE FUNCTION template_json(t plan_templates) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', t.code, 'name', t.name,
	    'metric', m.code, 'anomaly_type', t.anomaly_type,
	    'direction', t.direction, 'least_severity', t.least_severity,
	    'node_type', t.node_type, 'priority', t.priority,
	    'risk', t.risk, 'approval_life_s', t.approval_life_s,
	    'effect_metric', e.code, 'effect_at', t.effect_at,
	    'effect_direction', t.effect_direction,
	    'effect_least', t.effect_least, 'effect_unit', e.unit,
	    'effect_window_s', t.effect_window_s, 'expires_s', t.expires_s,
	    'command_life_s', t.command_life_s, 'enabled', t.enabled,
	    'protective', t.protective, 'preapproved_by', t.preapproved_by,
	    'preapproved_at', rfc3339(t.preapproved_at),
	    'changed_by', t.changed_by,
	    'trials', coalesce(f.trials, 0),
	    'successes', coalesce(f.successes, 0),
	    'guards', (SELECT coalesce(json_agg(json_build_object(
	        'name', g.name, 'metric', x.code, 'unit', x.unit,
	        'low', g.low, 'high', g.high) ORDER BY g.name), '[]')
	        FROM template_guards g JOIN metrics x ON x.id = g.metric_id
	        WHERE g.template_id = t.id),
	    'actions', template_actions_json(t.id, false),
	    'undo', template_actions_json(t.id, true))
	FROM metrics m LEFT JOIN metrics e ON e.id = t.effect_metric_id
	    LEFT JOIN template_figures f ON f.template_id = t.id
	WHERE m.id = t.metric_id);
END $$;

DROP FUNCTION template_actions_put(int, jsonb);
-- `member` of the body: "actions", or "undo" for what undoes them.
CREATE FUNCTION template_actions_put(wanted int, body jsonb, member text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a record;
BEGIN
	IF jsonb_typeof(body->member) IS DISTINCT FROM 'array' THEN
		RETURN;
	END IF;
	DELETE FROM template_actions
	WHERE template_id = wanted AND undo = (member = 'undo');
	FOR a IN SELECT e, ord FROM jsonb_array_elements(body->member)
	    WITH ORDINALITY u(e, ord)
	LOOP
		IF a.e->>'action' !~ '^[a-z_]{1,40}$' THEN
			PERFORM refuse(422, 'an action has up to 40 lower-case '
			    'letters and _', format('/%s/%s/action', member,
			    a.ord - 1));
		END IF;
		INSERT INTO template_actions (template_id, undo, step, n,
		    action, target_type, target_relation, argument, repeatable)
		VALUES (wanted, member = 'undo', (a.e->>'step')::int, a.ord,
		    a.e->>'action', a.e->>'target_type',
		    a.e->>'target_relation',
		    coalesce(nullif(a.e->'argument', 'null'), '{}'),
		    coalesce((a.e->>'repeatable')::boolean, false));
	END LOOP;
END $$;

CREATE FUNCTION template_guards_put(wanted int, body jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	g record;
	m metrics;
	at text;
BEGIN
	IF jsonb_typeof(body->'guards') IS DISTINCT FROM 'array' THEN
		RETURN;
	END IF;
	DELETE FROM template_guards WHERE template_id = wanted;
	FOR g IN SELECT e, ord FROM jsonb_array_elements(body->'guards')
	    WITH ORDINALITY u(e, ord)
	LOOP
		at := format('/guards/%s', g.ord - 1);
		m := find_metric(g.e->>'metric', at || '/metric');
		IF g.e->>'name' !~ '^[a-z_]{1,40}$' THEN
			PERFORM refuse(422, 'a name has up to 40 lower-case '
			    'letters and _', at || '/name');
		END IF;
		IF g.e->>'low' IS NULL AND g.e->>'high' IS NULL THEN
			PERFORM refuse(422, 'a guard has low, high or both',
			    at || '/low');
		END IF;
		IF (g.e->>'low')::float8 > (g.e->>'high')::float8 THEN
			PERFORM refuse(422, 'low is above high', at || '/low');
		END IF;
		INSERT INTO template_guards (template_id, name, metric_id, low,
		    high)
		VALUES (wanted, g.e->>'name', m.id, (g.e->>'low')::float8,
		    (g.e->>'high')::float8) ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			PERFORM refuse(422, format('guard %s is given twice',
			    g.e->>'name'), at || '/name');
		END IF;
	END LOOP;
END $$;

-- A row of the table from a checked body; `t` gives what the body does not.
CREATE OR REPLACE FUNCTION template_merge(t plan_templates, body jsonb)
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
	t.risk := coalesce(body->>'risk', t.risk, 'medium');
	t.approval_life_s := coalesce((body->>'approval_life_s')::float8,
	    t.approval_life_s, 1800);
	t.effect_at := coalesce(body->>'effect_at', t.effect_at, 'node');
	t.effect_least := coalesce((body->>'effect_least')::float8,
	    t.effect_least, 0);
	t.effect_window_s := coalesce((body->>'effect_window_s')::float8,
	    t.effect_window_s);
	t.expires_s := coalesce((body->>'expires_s')::float8, t.expires_s,
	    3600);
	t.command_life_s := coalesce((body->>'command_life_s')::float8,
	    t.command_life_s, 300);
	t.enabled := coalesce((body->>'enabled')::boolean, t.enabled, true);
	t.protective := coalesce((body->>'protective')::boolean, t.protective,
	    false);
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

-- What hangs on a template besides its row.
CREATE FUNCTION template_parts_put(wanted int, body jsonb) RETURNS void
LANGUAGE sql AS $$
	SELECT template_actions_put(wanted, body, 'actions'),
	    template_actions_put(wanted, body, 'undo'),
	    template_guards_put(wanted, body)
$$;

DROP FUNCTION template_create(jsonb);
CREATE FUNCTION template_create(body jsonb, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	t plan_templates := template_merge(NULL, body);
BEGIN
	PERFORM check_code(body->>'code');
	INSERT INTO plan_templates (code, name, metric_id, anomaly_type,
	    direction, least_severity, node_type, priority, risk,
	    approval_life_s, effect_metric_id, effect_at, effect_direction,
	    effect_least, effect_window_s, expires_s, command_life_s, enabled,
	    protective, changed_by)
	VALUES (body->>'code', t.name, t.metric_id, t.anomaly_type,
	    t.direction, t.least_severity, t.node_type, t.priority, t.risk,
	    t.approval_life_s, t.effect_metric_id, t.effect_at,
	    t.effect_direction, t.effect_least, t.effect_window_s,
	    t.expires_s, t.command_life_s, t.enabled, t.protective, who)
	ON CONFLICT (code) DO NOTHING RETURNING * INTO t;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('plan template %s exists already',
		    body->>'code'), '/code');
	END IF;
	PERFORM template_parts_put(t.id, body);
	RETURN ROW(template_json(t), etag(t.change),
	    '/api/v1/plan-templates/' || t.code)::answer;
END $$;

-- What was agreed to beforehand was another template.
DROP FUNCTION template_change(text, jsonb, text);
CREATE FUNCTION template_change(wanted text, body jsonb, if_match text,
    who text) RETURNS answer LANGUAGE plpgsql AS $$
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
	PERFORM template_parts_put(t.id, body);
	UPDATE plan_templates u SET name = t.name, metric_id = t.metric_id,
	    anomaly_type = t.anomaly_type, direction = t.direction,
	    least_severity = t.least_severity, node_type = t.node_type,
	    priority = t.priority, risk = t.risk,
	    approval_life_s = t.approval_life_s,
	    effect_metric_id = t.effect_metric_id, effect_at = t.effect_at,
	    effect_direction = t.effect_direction,
	    effect_least = t.effect_least,
	    effect_window_s = t.effect_window_s, expires_s = t.expires_s,
	    command_life_s = t.command_life_s, enabled = t.enabled,
	    protective = t.protective, changed_by = who,
	    preapproved_by = NULL, preapproved_at = NULL
	WHERE u.id = t.id RETURNING * INTO t;
	RETURN ROW(template_json(t), etag(t.change), NULL)::answer;
END $$;

-- Plans

CREATE FUNCTION approvals_needed(risk text) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE risk WHEN 'high' THEN 2 ELSE 1 END
$$;

-- How many different people agree to it now.
CREATE FUNCTION approvals_held(p plans) RETURNS int LANGUAGE sql STABLE AS $$
	SELECT count(DISTINCT v.username)::int FROM plan_approvals v
	WHERE v.plan_id = p.id AND v.decision = 'approve'
	    AND v.at > clock_timestamp() - p.approval_life_s * interval '1 s'
$$;

-- approvals_lacking: how many people have yet to agree.
CREATE OR REPLACE FUNCTION plan_json(p plans) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'state', p.state,
	    'anomaly', p.anomaly_id, 'node', n.code, 'metric', m.code,
	    'severity', a.severity,
	    'template', t.code, 'risk', p.risk, 'authors', p.authors,
	    'approvals_lacking', CASE p.state WHEN 'proposed' THEN greatest(0,
	        approvals_needed(p.risk) - approvals_held(p)) ELSE 0 END,
	    'undoes', p.undoes, 'proposed_at', rfc3339(p.proposed_at),
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

CREATE OR REPLACE FUNCTION commands_json(wanted bigint) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(command_json(c) ORDER BY c.step, c.id), '[]')
	FROM commands c WHERE c.plan_id = wanted
$$;

CREATE FUNCTION approvals_json(wanted bigint) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('by', username,
	    'at', rfc3339(at), 'decision', decision, 'reason', reason)
	    ORDER BY id), '[]')
	FROM plan_approvals WHERE plan_id = wanted
$$;

CREATE OR REPLACE FUNCTION plan_detail_json(p plans) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', p.id, 'state', p.state,
	    'anomaly', anomaly_json(a), 'template', template_json(t),
	    'risk', p.risk, 'authors', p.authors,
	    'approvals', approvals_json(p.id),
	    'approvals_lacking', plan_json(p)->'approvals_lacking',
	    'approval_life_s', p.approval_life_s, 'undoes', p.undoes,
	    'undone_by', (SELECT max(u.id) FROM plans u
	        WHERE u.undoes = p.id),
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

-- One plan at a time may be on its way on a link, however it was agreed to.
CREATE FUNCTION plan_claim(wanted bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	live record;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('link', l.link_id))
	FROM (SELECT DISTINCT link_id FROM commands WHERE plan_id = wanted
	    ORDER BY link_id) l;
	SELECT p.id, k.code INTO live FROM commands c
	    JOIN commands o ON o.link_id = c.link_id AND o.plan_id <> wanted
	    JOIN plans p ON p.id = o.plan_id JOIN links k ON k.id = c.link_id
	WHERE c.plan_id = wanted AND p.state IN ('approved', 'executing',
	    'verifying') ORDER BY p.id LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('plan %s is about link %s still',
		    live.id, live.code));
	END IF;
END $$;

-- Carries out what was decided; p is locked and still proposed.
CREATE FUNCTION plan_settle(p plans, chosen text, who text, facts jsonb)
RETURNS plans LANGUAGE plpgsql AS $$
DECLARE
	d decisions;
	t timestamptz := clock_timestamp();
	was bigint := p.id;
BEGIN
	SELECT * INTO STRICT d FROM decisions WHERE decision = chosen;
	IF d.plan_to = 'approved' THEN
		PERFORM plan_claim(p.id);
	END IF;
	UPDATE plans u SET state = d.plan_to, decided_at = t,
	    decided_by = who, decision_reason = facts->>'reason',
	    closed_at = CASE WHEN d.plan_to = 'rejected' THEN t END
	WHERE u.id = was RETURNING * INTO p;
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	VALUES ('plan', was, d.plan_row, 'proposed', d.plan_to, t, who,
	    facts, p.knowledge_version);
	WITH moved AS (
		UPDATE commands SET state = d.command_to,
		    not_after = CASE WHEN d.command_to = 'queued'
		        THEN t + p.command_life_s * interval '1 s' END,
		    next_attempt_at = CASE WHEN d.command_to = 'queued'
		        THEN t END,
		    closed_at = CASE WHEN d.command_to = 'cancelled'
		        THEN t END
		WHERE plan_id = was AND state = 'planned' RETURNING id
	)
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	SELECT 'command', id, d.command_row, 'planned', d.command_to, t, who,
	    jsonb_build_object('plan', was), p.knowledge_version
	FROM moved ORDER BY id;
	RETURN p;
END $$;

-- The plan, locked, if it can still be decided on.
CREATE FUNCTION plan_take(wanted bigint) RETURNS plans
LANGUAGE plpgsql AS $$
DECLARE
	p plans;
BEGIN
	SELECT * INTO p FROM plans WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan %s', wanted));
	END IF;
	IF p.state <> 'proposed' THEN
		PERFORM refuse(409, format('plan %s is %s, not proposed',
		    wanted, p.state));
	END IF;
	IF p.expires_at <= clock_timestamp() THEN
		PERFORM refuse(409, format('plan %s expired at %s', wanted,
		    rfc3339(p.expires_at)));
	END IF;
	RETURN p;
END $$;

-- A high risk takes two people, neither of whom wrote what is decided on.
CREATE FUNCTION check_approver(p plans, who text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	before timestamptz;
BEGIN
	IF p.risk = 'high' AND who = ANY (p.authors) THEN
		PERFORM refuse(403, format('%s is an author of plan %s: its '
		    'high risk takes two other people', who, p.id));
	END IF;
	SELECT max(at) INTO before FROM plan_approvals
	WHERE plan_id = p.id AND username = who AND decision = 'approve'
	    AND at > clock_timestamp() - p.approval_life_s * interval '1 s';
	IF before IS NOT NULL THEN
		PERFORM refuse(409, format('%s approved plan %s at %s: its '
		    'high risk takes another person', who, p.id,
		    rfc3339(before)));
	END IF;
END $$;

CREATE OR REPLACE FUNCTION plan_decide(wanted bigint, chosen text, body jsonb,
    who text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	p plans := plan_take(wanted);
	facts jsonb := jsonb_build_object('reason', body->>'reason');
BEGIN
	IF chosen = 'approve' THEN
		PERFORM check_approver(p, who);
	END IF;
	INSERT INTO plan_approvals (plan_id, username, at, decision, reason)
	VALUES (wanted, who, clock_timestamp(), chosen, body->>'reason');
	IF chosen = 'approve'
	    AND approvals_held(p) < approvals_needed(p.risk) THEN
		PERFORM plan_moved(p, 'P15', 'proposed', who, facts);
	ELSE
		p := plan_settle(p, chosen, who, facts);
	END IF;
	RETURN ROW(plan_detail_json(p), NULL, NULL)::answer;
END $$;
