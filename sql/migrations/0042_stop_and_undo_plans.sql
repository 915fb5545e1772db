-- What people do to plans besides deciding on them: stop what is on its way,
-- take back what was done, carry out at once what lacks approvals and answer
-- for it afterwards; and what runs without asking, by policy.

CREATE TABLE after_reviews (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	plan_id   bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
	opened_by text NOT NULL,
	opened_at timestamptz NOT NULL,
	reason    text NOT NULL,
	closed_by text,
	closed_at timestamptz, -- NULL: it is open
	findings  text,
	CONSTRAINT after_reviews_closed CHECK (num_nulls(closed_by, closed_at,
	    findings) IN (0, 3)),
	CONSTRAINT after_reviews_other CHECK (closed_by <> opened_by)
);
CREATE INDEX after_reviews_open_idx ON after_reviews (id)
	WHERE closed_at IS NULL;
CREATE INDEX after_reviews_plan_idx ON after_reviews (plan_id);
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON after_reviews
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_change AFTER UPDATE ON after_reviews
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION audit_note('change');
REVOKE DELETE ON after_reviews FROM penstock_serve;

-- Declared by a person; what the loop derives from alarms is system_state.
ALTER TABLE loop_status
	ADD COLUMN emergency boolean NOT NULL DEFAULT false,
	ADD COLUMN emergency_by text,
	ADD COLUMN emergency_at timestamptz,
	ADD COLUMN emergency_reason text;
DROP TRIGGER audit_change ON loop_status;
CREATE TRIGGER audit_change AFTER UPDATE ON loop_status
	FOR EACH ROW WHEN (NEW.paused IS DISTINCT FROM OLD.paused
	    OR NEW.emergency IS DISTINCT FROM OLD.emergency)
	EXECUTE FUNCTION audit_note('change', 'figures', 'cycle', 'cycle_at',
	'instance', 'system_state');

CREATE OR REPLACE FUNCTION event_loop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('loop', w, NULL, json_build_object(
	    'paused', NEW.paused, 'paused_by', NEW.paused_by,
	    'system_state', NEW.system_state))
	FROM unnest(ARRAY[CASE WHEN NEW.paused = OLD.paused THEN NULL
	    WHEN NEW.paused THEN 'paused' ELSE 'resumed' END,
	    CASE WHEN NEW.emergency = OLD.emergency THEN NULL
	    WHEN NEW.emergency THEN 'emergency_declared'
	    ELSE 'emergency_over' END,
	    CASE WHEN NEW.system_state <> OLD.system_state
	    THEN NEW.system_state END]) w WHERE w IS NOT NULL;
	RETURN NULL;
END $$;
DROP TRIGGER event_moved ON loop_status;
CREATE CONSTRAINT TRIGGER event_moved AFTER UPDATE ON loop_status
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.paused <> OLD.paused OR NEW.emergency <> OLD.emergency
	    OR NEW.system_state <> OLD.system_state)
	EXECUTE FUNCTION event_loop();

CREATE OR REPLACE FUNCTION loop_json(l loop_status) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('paused', l.paused,
	    'paused_by', l.paused_by, 'paused_at', rfc3339(l.paused_at),
	    'system_state', l.system_state, 'emergency', l.emergency,
	    'emergency_by', l.emergency_by,
	    'emergency_at', rfc3339(l.emergency_at),
	    'emergency_reason', l.emergency_reason,
	    'after_reviews_open', (SELECT count(*) FROM after_reviews
	        WHERE closed_at IS NULL),
	    'cycle', l.cycle, 'cycle_at', rfc3339(l.cycle_at),
	    'age_s', extract(epoch FROM now() - l.cycle_at),
	    'instance', l.instance, 'figures', l.figures)
$$;

-- The first to declare it stays named.
CREATE FUNCTION loop_emergency(body jsonb, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	wanted boolean := (body->>'on')::boolean;
	l loop_status;
BEGIN
	PERFORM change_begin();
	UPDATE loop_status SET emergency = wanted,
	    emergency_by = CASE WHEN wanted THEN who END,
	    emergency_at = CASE WHEN wanted THEN clock_timestamp() END,
	    emergency_reason = CASE WHEN wanted THEN body->>'reason' END
	WHERE emergency <> wanted;
	SELECT * INTO l FROM loop_status;
	RETURN ROW(loop_json(l), NULL, NULL)::answer;
END $$;

-- Templates

CREATE FUNCTION template_preapprove(wanted text, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	agreed boolean := (body->>'approved')::boolean;
	t plan_templates;
BEGIN
	PERFORM change_begin();
	SELECT * INTO t FROM plan_templates WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan template %s',
		    wanted));
	END IF;
	IF agreed AND NOT t.protective THEN
		PERFORM refuse(409, format('plan template %s is not '
		    'protective', wanted));
	END IF;
	IF agreed AND t.changed_by = who THEN
		PERFORM refuse(403, format('%s wrote plan template %s: '
		    'another person agrees to it', who, wanted));
	END IF;
	UPDATE plan_templates u SET
	    preapproved_by = CASE WHEN agreed THEN who END,
	    preapproved_at = CASE WHEN agreed THEN clock_timestamp() END
	WHERE u.id = t.id RETURNING * INTO t;
	RETURN ROW(template_json(t), etag(t.change), NULL)::answer;
END $$;

-- Plans

-- Whatever has not left stays here; what has is asked about as before.
CREATE FUNCTION plan_cancel(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	c commands;
	t timestamptz;
	facts jsonb := jsonb_build_object('reason', body->>'reason');
BEGIN
	SELECT * INTO p FROM plans WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan %s', wanted));
	END IF;
	PERFORM check_plan_zones(who, wanted);
	IF p.state NOT IN ('approved', 'executing') THEN
		PERFORM refuse(409, format('plan %s is %s, neither approved '
		    'nor executing', wanted, p.state));
	END IF;
	t := clock_timestamp();
	FOR c IN SELECT * FROM commands WHERE plan_id = wanted
	    AND state IN ('planned', 'queued') ORDER BY id FOR UPDATE
	LOOP
		PERFORM command_moved(c, CASE c.state WHEN 'queued' THEN 'C10'
		    ELSE 'C2' END, 'cancelled', who, facts);
		UPDATE commands SET state = 'cancelled', closed_at = t
		WHERE id = c.id;
	END LOOP;
	PERFORM plan_moved(p, CASE p.state WHEN 'approved' THEN 'P17'
	    ELSE 'P18' END, 'cancelled', who, facts);
	UPDATE plans SET state = 'cancelled', closed_at = t
	WHERE id = wanted RETURNING * INTO p;
	RETURN ROW(plan_detail_json(p), NULL, NULL)::answer;
END $$;

-- What undoes p: its template's actions on the links that p may have moved.
CREATE FUNCTION undo_commands(p plans) RETURNS TABLE (step int, link_id int,
    gateway_id int, action text, argument jsonb, repeatable boolean)
LANGUAGE sql STABLE AS $$
	SELECT a.step, l.id, l.gateway_id, a.action, a.argument, a.repeatable
	FROM template_actions a, links l, anomalies o
	    JOIN series s ON s.id = o.series_id
	WHERE a.template_id = p.template_id AND a.undo
	    AND o.id = p.anomaly_id AND l.type = a.target_type
	    AND l.gateway_id IS NOT NULL
	    AND (a.target_relation = 'zone' OR l.to_node = s.node_id)
	    AND EXISTS (SELECT FROM commands c WHERE c.plan_id = p.id
	        AND c.link_id = l.id AND c.state IN ('sent', 'accepted',
	        'executed', 'verified', 'unknown'))
	ORDER BY a.step, a.n, l.id
$$;

-- A plan of its own, with the approvals and guards of any other.
CREATE FUNCTION plan_undo(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	u plans;
	live bigint;
	t timestamptz;
	facts jsonb := jsonb_build_object('undoes', wanted, 'by', who,
	    'reason', body->>'reason');
BEGIN
	PERFORM change_begin();
	SELECT * INTO p FROM plans WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan %s', wanted));
	END IF;
	PERFORM check_plan_zones(who, wanted);
	IF p.undoes IS NOT NULL OR p.state NOT IN ('verifying', 'worked',
	    'no_effect', 'worse', 'not_provable', 'failed', 'cancelled') THEN
		PERFORM refuse(409, format('plan %s %s: there is nothing to '
		    'undo', wanted, CASE WHEN p.undoes IS NULL
		    THEN 'is ' || p.state ELSE 'undoes another' END));
	END IF;
	SELECT q.id INTO live FROM plans q
	WHERE q.closed_at IS NULL AND (q.undoes = wanted
	    OR (q.id <> wanted AND q.state <> 'proposed' AND EXISTS (
	        SELECT FROM commands c JOIN undo_commands(p) w
	            ON w.link_id = c.link_id WHERE c.plan_id = q.id)))
	ORDER BY q.id LIMIT 1;
	IF live IS NOT NULL THEN
		PERFORM refuse(409, format('plan %s is about the same links',
		    live));
	END IF;
	t := clock_timestamp();
	INSERT INTO plans (anomaly_id, template_id, state, proposed_at,
	    expires_at, effect_direction, effect_least, effect_window_s,
	    command_life_s, reasons, knowledge_version, risk, approval_life_s,
	    authors, undoes)
	SELECT p.anomaly_id, p.template_id, 'proposed', t,
	    t + m.expires_s * interval '1 s', 'none', 0, p.effect_window_s,
	    p.command_life_s, facts, p.knowledge_version, p.risk,
	    p.approval_life_s, array_remove(ARRAY[who,
	    nullif(m.changed_by, who)], NULL), wanted
	FROM plan_templates m WHERE m.id = p.template_id RETURNING * INTO u;
	INSERT INTO commands (plan_id, step, state, link_id, gateway_id,
	    action, argument, key, repeatable)
	SELECT u.id, w.step, 'planned', w.link_id, w.gateway_id, w.action,
	    w.argument, gen_random_uuid(), w.repeatable
	FROM undo_commands(p) w;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('nothing of plan %s is moved back '
		    'by its template', wanted));
	END IF;
	INSERT INTO transitions (subject, subject_id, row_id, to_state, at,
	    actor, facts, knowledge_version)
	VALUES ('plan', u.id, 'P0', 'proposed', t, who, facts,
	    u.knowledge_version);
	RETURN ROW(plan_detail_json(u), NULL, '/api/v1/plans/' || u.id)::answer;
END $$;

-- Once all of the plan that undoes another is done, the other is undone.
CREATE FUNCTION plan_undone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	row_id text;
BEGIN
	SELECT * INTO p FROM plans WHERE id = NEW.undoes FOR UPDATE;
	row_id := CASE p.state WHEN 'verifying' THEN 'P19'
	    WHEN 'worked' THEN 'P20' WHEN 'no_effect' THEN 'P21'
	    WHEN 'worse' THEN 'P22' WHEN 'not_provable' THEN 'P23'
	    WHEN 'failed' THEN 'P24' WHEN 'cancelled' THEN 'P25' END;
	IF row_id IS NOT NULL THEN
		PERFORM plan_moved(p, row_id, 'undone', 'loop',
		    jsonb_build_object('plan', NEW.id));
		UPDATE plans SET state = 'undone',
		    closed_at = coalesce(closed_at, clock_timestamp())
		WHERE id = p.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER plan_undone AFTER UPDATE OF state ON plans FOR EACH ROW
	WHEN (NEW.state = 'verifying' AND OLD.state <> 'verifying'
	    AND NEW.undoes IS NOT NULL)
	EXECUTE FUNCTION plan_undone();

-- At once, whoever has yet to agree.
CREATE FUNCTION plan_override(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	p plans := plan_take(wanted);
	reason text := body->>'reason';
BEGIN
	INSERT INTO plan_approvals (plan_id, username, at, decision, reason)
	VALUES (wanted, who, clock_timestamp(), 'override', reason);
	p := plan_settle(p, 'approve', who, jsonb_build_object(
	    'override', true, 'reason', reason, 'approvals_lacking',
	    approvals_needed(p.risk) - approvals_held(p)));
	INSERT INTO after_reviews (plan_id, opened_by, opened_at, reason)
	VALUES (wanted, who, clock_timestamp(), reason);
	RETURN ROW(plan_detail_json(p), NULL, NULL)::answer;
END $$;

-- What a policy allows runs; false: it does not allow this. The loop asks.
CREATE FUNCTION plan_unasked(wanted bigint, policy text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	t plan_templates;
	who text := 'policy:' || policy;
	facts jsonb;
	allowed boolean;
BEGIN
	p := plan_take(wanted);
	facts := jsonb_build_object('policy', policy, 'risk', p.risk);
	SELECT * INTO t FROM plan_templates WHERE id = p.template_id;
	allowed := p.undoes IS NULL AND CASE policy
	    WHEN 'low-risk' THEN p.risk = 'low' AND NOT EXISTS (
	        SELECT FROM loop_status WHERE emergency)
	    WHEN 'emergency' THEN t.protective
	        AND t.preapproved_by IS NOT NULL
	        AND t.change <= p.knowledge_version
	        AND EXISTS (SELECT FROM loop_status WHERE emergency)
	    ELSE false END;
	IF NOT allowed THEN
		RETURN false;
	END IF;
	IF policy = 'emergency' THEN
		facts := facts || jsonb_build_object(
		    'preapproved_by', t.preapproved_by,
		    'preapproved_at', rfc3339(t.preapproved_at));
	END IF;
	PERFORM plan_settle(p, 'approve', who, facts);
	INSERT INTO plan_approvals (plan_id, username, at, decision)
	VALUES (wanted, who, clock_timestamp(), 'policy');
	RETURN true;
EXCEPTION WHEN SQLSTATE 'PS409' THEN
	RETURN false; -- it is decided on, or another is on its way
END $$;

-- After-reviews

CREATE FUNCTION after_review_json(r after_reviews) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', r.id, 'plan', r.plan_id,
	    'state', CASE WHEN r.closed_at IS NULL THEN 'open'
	        ELSE 'closed' END, 'opened_by', r.opened_by,
	    'opened_at', rfc3339(r.opened_at), 'reason', r.reason,
	    'closed_by', r.closed_by, 'closed_at', rfc3339(r.closed_at),
	    'findings', r.findings)
$$;

CREATE FUNCTION after_review_close(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	r after_reviews;
BEGIN
	SELECT * INTO r FROM after_reviews WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no after-review %s',
		    wanted));
	END IF;
	PERFORM check_plan_zones(who, r.plan_id);
	IF r.closed_at IS NOT NULL THEN
		PERFORM refuse(409, format('after-review %s was closed by %s '
		    'at %s', wanted, r.closed_by, rfc3339(r.closed_at)));
	END IF;
	IF r.opened_by = who THEN
		PERFORM refuse(403, format('%s opened after-review %s: '
		    'another person closes it', who, wanted));
	END IF;
	UPDATE after_reviews SET closed_by = who,
	    closed_at = clock_timestamp(), findings = body->>'findings'
	WHERE id = wanted RETURNING * INTO r;
	RETURN ROW(after_review_json(r), NULL, NULL)::answer;
END $$;
