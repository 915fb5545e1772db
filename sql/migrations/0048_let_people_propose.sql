-- A plan that a person proposes, what each who wrote a template is kept out
-- of, what undoing is expected to show, and what a dossier and those who
-- listen hear of agreeing and of after-reviews.

-- Templates

-- All who changed it, the last one last; who was it before this was kept is
-- known of the last change alone.
ALTER TABLE plan_templates ADD COLUMN authors text[] NOT NULL DEFAULT '{}';
-- No change of a template that anybody made: neither stamped nor recorded.
ALTER TABLE plan_templates DISABLE TRIGGER USER;
UPDATE plan_templates SET authors = ARRAY[changed_by]
WHERE changed_by IS NOT NULL;
ALTER TABLE plan_templates ENABLE TRIGGER USER;

CREATE FUNCTION template_author() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.authors := array_remove(array_remove(NEW.authors,
	    NEW.changed_by) || NEW.changed_by, NULL);
	RETURN NEW;
END $$;
CREATE TRIGGER plan_templates_author
	BEFORE INSERT OR UPDATE OF changed_by ON plan_templates
	FOR EACH ROW EXECUTE FUNCTION template_author();

CREATE OR REPLACE FUNCTION template_preapprove(wanted text, body jsonb,
    who text) RETURNS answer LANGUAGE plpgsql AS $$
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
	IF agreed AND who = ANY (t.authors) THEN
		PERFORM refuse(403, format('%s wrote plan template %s: '
		    'another person agrees to it', who, wanted));
	END IF;
	UPDATE plan_templates u SET
	    preapproved_by = CASE WHEN agreed THEN who END,
	    preapproved_at = CASE WHEN agreed THEN clock_timestamp() END
	WHERE u.id = t.id RETURNING * INTO t;
	RETURN ROW(template_json(t), etag(t.change), NULL)::answer;
END $$;

-- As before; taking back is no trial of what a template promises.
CREATE OR REPLACE FUNCTION template_outcome(of int, OUT trials int,
    OUT successes int) LANGUAGE sql STABLE AS $$
	SELECT count(*) FILTER (WHERE verdict->>'verdict' IN ('worked',
	        'no_effect', 'worse'))::int,
	    count(*) FILTER (WHERE verdict->>'verdict' = 'worked')::int
	FROM plans WHERE template_id = of AND verdict IS NOT NULL
	    AND undoes IS NULL
$$;

CREATE OR REPLACE FUNCTION template_figures_json(t plan_templates)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('template', t.code,
	    'accepted', (SELECT json_build_object('trials', f.trials,
	        'successes', f.successes, 'at', rfc3339(f.accepted_at),
	        'by', f.accepted_by)
	        FROM template_figures f WHERE f.template_id = t.id),
	    'proposed', json_build_object('trials', o.trials,
	        'successes', o.successes),
	    'plans', (SELECT coalesce(json_agg(json_build_object('id', p.id,
	        'verdict', p.verdict->>'verdict',
	        'reason', p.verdict->>'reason',
	        'effect', p.verdict->'effect', 'least', p.effect_least,
	        'closed_at', rfc3339(p.closed_at)) ORDER BY p.id DESC), '[]')
	        FROM (SELECT * FROM plans WHERE template_id = t.id
	            AND verdict IS NOT NULL AND undoes IS NULL
	            ORDER BY id DESC LIMIT 200) p))
	FROM template_outcome(t.id) o
$$;

-- Plans

ALTER TABLE plans ADD COLUMN proposed_by text; -- NULL: the loop, or it undoes

-- All who wrote its template are its authors, beside who proposed it. What
-- takes back a plan that worked moves the same series the other way, however
-- far: a burst's own water stays away. Of one that did not, there is nothing to
-- see. Before plans_prove, which looks for
-- the control of that series.
CREATE FUNCTION plan_authored() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	p plans;
BEGIN
	NEW.authors := NEW.authors || ARRAY(SELECT w
	    FROM plan_templates t, unnest(t.authors) w
	    WHERE t.id = NEW.template_id AND w <> ALL (NEW.authors));
	SELECT * INTO p FROM plans WHERE id = NEW.undoes
	    AND state = 'worked' AND effect_direction <> 'none';
	IF FOUND THEN
		NEW.effect_series_id := p.effect_series_id;
		NEW.effect_direction := CASE p.effect_direction
		    WHEN 'low' THEN 'high' ELSE 'low' END;
		NEW.effect_least := 0;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER plans_authored BEFORE INSERT ON plans
	FOR EACH ROW EXECUTE FUNCTION plan_authored();

-- As before; and what a person proposed, another one agrees to, whatever its
-- risk.
CREATE FUNCTION check_proposer(p plans, who text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF who = p.proposed_by THEN
		PERFORM refuse(403, format('%s proposed plan %s: another '
		    'person agrees to it', who, p.id));
	END IF;
	IF p.risk = 'high' AND who = ANY (p.authors) THEN
		PERFORM refuse(403, format('%s is an author of plan %s: its '
		    'high risk takes two other people', who, p.id));
	END IF;
END $$;

CREATE OR REPLACE FUNCTION check_approver(p plans, who text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	before timestamptz;
BEGIN
	PERFORM check_proposer(p, who);
	SELECT max(at) INTO before FROM plan_approvals
	WHERE plan_id = p.id AND username = who AND decision = 'approve'
	    AND at > clock_timestamp() - p.approval_life_s * interval '1 s';
	IF before IS NOT NULL THEN
		PERFORM refuse(409, format('%s approved plan %s at %s: its '
		    'high risk takes another person', who, p.id,
		    rfc3339(before)));
	END IF;
END $$;

CREATE OR REPLACE FUNCTION check_redrive() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	agreed boolean;
BEGIN
	SELECT * INTO STRICT p FROM plans WHERE id = NEW.subject_id;
	PERFORM check_proposer(p, NEW.actor);
	agreed := EXISTS (SELECT FROM plan_approvals WHERE plan_id = p.id
	    AND username = NEW.actor AND decision = 'approve'
	    AND at > clock_timestamp() - p.approval_life_s * interval '1 s');
	IF approvals_held(p) + (NOT agreed)::int
	    < approvals_needed(p.risk) THEN
		PERFORM refuse(409, format('nobody but %s agrees to plan %s '
		    'now: its high risk takes two people', NEW.actor, p.id));
	END IF;
	PERFORM plan_claim(p.id);
	RETURN NEW;
END $$;

-- Nor does the proposer carry it out over the heads of the others.
CREATE FUNCTION check_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM plans p WHERE p.id = NEW.plan_id
	    AND p.proposed_by = NEW.username) THEN
		PERFORM refuse(403, format('%s proposed plan %s: another '
		    'person overrides', NEW.username, NEW.plan_id));
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER plan_approvals_override BEFORE INSERT ON plan_approvals
	FOR EACH ROW WHEN (NEW.decision = 'override')
	EXECUTE FUNCTION check_override();

-- A policy is about what the loop proposes, to which the template fits.
CREATE OR REPLACE FUNCTION check_policy() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM plans p JOIN plan_templates t
	    ON t.id = p.template_id WHERE p.id = NEW.plan_id AND t.enabled
	    AND p.proposed_by IS NULL
	    AND (NEW.username <> 'policy:low-risk' OR t.risk = 'low')) THEN
		PERFORM refuse(409, format('no policy is about plan %s',
		    NEW.plan_id));
	END IF;
	RETURN NEW;
END $$;

-- What of the anomaly the template is not made for.
CREATE FUNCTION template_misfits(t plan_templates, a anomalies)
RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT coalesce(jsonb_agg(w.said ORDER BY w.n), '[]')
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	    JOIN metrics k ON k.id = t.metric_id, LATERAL (VALUES
	    (1, s.metric_id <> t.metric_id, format('metric is %s, not %s',
	        m.code, k.code)),
	    (2, a.type <> t.anomaly_type, format('anomaly is %s, not %s',
	        a.type, t.anomaly_type)),
	    (3, a.direction <> t.direction, format('direction is %s, not %s',
	        a.direction, t.direction)),
	    (4, array_position('{info,warning,critical}', a.severity)
	        < array_position('{info,warning,critical}',
	        t.least_severity), format('severity is %s, below %s',
	        a.severity, t.least_severity)),
	    (5, n.type <> t.node_type, format('node is a %s, not a %s',
	        n.type, t.node_type))) w(n, misses, said)
	WHERE s.id = a.series_id AND w.misses
$$;

-- What a template's actions move about an anomaly.
CREATE FUNCTION template_commands(t plan_templates, at nodes)
RETURNS TABLE (step int, n int, link_id int, gateway_id int, action text,
    argument jsonb, repeatable boolean) LANGUAGE sql STABLE AS $$
	SELECT a.step, a.n, l.id, l.gateway_id, a.action, a.argument,
	    a.repeatable
	FROM template_actions a LEFT JOIN (links l
	    JOIN nodes e ON e.id = l.to_node)
	    ON l.type = a.target_type AND l.gateway_id IS NOT NULL
	    AND CASE a.target_relation WHEN 'inlet' THEN e.id = at.id
	        ELSE e.zone_id = at.zone_id END
	WHERE a.template_id = t.id AND NOT a.undo
	ORDER BY a.step, a.n, l.id
$$;

-- Refuses what could never be carried out, as the loop passes it over.
CREATE FUNCTION check_proposal(t plan_templates, at nodes) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	w record;
	most CONSTANT int := 16; -- PLAN_COMMANDS_MAX
BEGIN
	SELECT m.code INTO w FROM template_guards g
	    JOIN metrics m ON m.id = g.metric_id
	WHERE g.template_id = t.id AND NOT EXISTS (SELECT FROM series s
	    WHERE s.node_id = at.id AND s.metric_id = g.metric_id
	    AND s.retired_at IS NULL) ORDER BY g.name LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('a guard of %s needs %s, which %s '
		    'has not', t.code, w.code, at.code), '/template');
	END IF;
	SELECT a.* INTO w FROM template_actions a
	    JOIN template_commands(t, at) c ON c.step = a.step AND c.n = a.n
	WHERE a.template_id = t.id AND NOT a.undo AND c.link_id IS NULL
	ORDER BY a.step, a.n LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('step %s: no %s on a gateway is '
		    'the %s of %s', w.step, w.target_type, w.target_relation,
		    at.code), '/template');
	END IF;
	SELECT c.step, l.code INTO w FROM template_commands(t, at) c
	    JOIN links l ON l.id = c.link_id
	GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('step %s would move %s twice',
		    w.step, w.code), '/template');
	END IF;
	IF (SELECT count(*) NOT BETWEEN 1 AND most
	    FROM template_commands(t, at)) THEN
		PERFORM refuse(409, format('%s has no action, or more than '
		    '%s commands', t.code, most), '/template');
	END IF;
	SELECT q.id, l.code INTO w FROM template_commands(t, at) c
	    JOIN links l ON l.id = c.link_id
	    JOIN commands o ON o.link_id = l.id
	    JOIN plans q ON q.id = o.plan_id
	WHERE q.closed_at IS NULL ORDER BY q.id LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('plan %s is about link %s still',
		    w.id, w.code));
	END IF;
END $$;

-- The series that would prove the effect, as the loop finds it.
CREATE FUNCTION template_effect(t plan_templates, at nodes) RETURNS int
LANGUAGE sql STABLE AS $$
	SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id
	WHERE s.metric_id = t.effect_metric_id AND s.retired_at IS NULL
	    AND CASE t.effect_at WHEN 'zone' THEN n.zone_id = at.zone_id
	        ELSE n.id = at.id END
	ORDER BY n.type = 'dma' DESC, s.id LIMIT 1
$$;

-- What the loop did not propose: the rest of its way is that of any plan. The
-- loop proposes nothing beside it for the anomaly as long as it holds.
CREATE FUNCTION plan_propose(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies;
	t plan_templates;
	here nodes;
	p plans;
	effect int;
	moment timestamptz;
	why jsonb;
BEGIN
	PERFORM change_begin();
	SELECT * INTO a FROM anomalies WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no anomaly %s', wanted));
	END IF;
	PERFORM check_zones(who, format('anomaly %s', wanted),
	    ARRAY[series_zone(a.series_id)]);
	IF a.state <> 'open' THEN
		PERFORM refuse(409, format('anomaly %s is %s, not open',
		    wanted, a.state));
	END IF;
	SELECT * INTO t FROM plan_templates WHERE code = body->>'template';
	IF NOT FOUND THEN
		PERFORM refuse(422, format('there is no plan template %s',
		    body->>'template'), '/template');
	END IF;
	IF NOT t.enabled THEN
		PERFORM refuse(409, format('plan template %s is switched off',
		    t.code), '/template');
	END IF;
	SELECT n.* INTO STRICT here FROM series s
	    JOIN nodes n ON n.id = s.node_id WHERE s.id = a.series_id;
	PERFORM check_proposal(t, here);
	effect := template_effect(t, here);
	moment := clock_timestamp();
	why := jsonb_build_object('template', t.code, 'by', who,
	    'reason', body->>'reason', 'misfits', template_misfits(t, a));
	INSERT INTO plans (anomaly_id, template_id, state, proposed_at,
	    expires_at, effect_series_id, effect_direction, effect_least,
	    effect_window_s, command_life_s, reasons, knowledge_version, risk,
	    approval_life_s, authors, proposed_by)
	VALUES (a.id, t.id, 'proposed', moment,
	    moment + t.expires_s * interval '1 s', effect,
	    coalesce(t.effect_direction, 'none'), t.effect_least,
	    t.effect_window_s, t.command_life_s, why,
	    (SELECT last_value FROM change_seq), t.risk, t.approval_life_s,
	    ARRAY[who], who) RETURNING * INTO p;
	INSERT INTO commands (plan_id, step, state, link_id, gateway_id,
	    action, argument, key, repeatable)
	SELECT p.id, c.step, 'planned', c.link_id, c.gateway_id, c.action,
	    c.argument, gen_random_uuid(), c.repeatable
	FROM template_commands(t, here) c ORDER BY c.step, c.n, c.link_id;
	PERFORM check_plan_zones(who, p.id);
	INSERT INTO transitions (subject, subject_id, row_id, to_state, at,
	    actor, facts, knowledge_version)
	VALUES ('plan', p.id, 'P0', 'proposed', moment, who, why,
	    p.knowledge_version);
	UPDATE anomalies SET planning = 'proposed', planning_reasons = why
	WHERE id = a.id;
	RETURN ROW(plan_detail_json(p), NULL, '/api/v1/plans/' || p.id)::answer;
END $$;

-- Events

CREATE FUNCTION event_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('plan', 'endorsed', series_zone(a.series_id),
	    plan_json(p)) FROM plans p JOIN anomalies a ON a.id = p.anomaly_id
	WHERE p.id = NEW.subject_id;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event_agreed AFTER INSERT ON transitions
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.subject = 'plan' AND NEW.row_id = 'P15')
	EXECUTE FUNCTION event_agreed();

CREATE FUNCTION event_review() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('plan', CASE WHEN NEW.closed_at IS NULL
	    THEN 'after_review_opened' ELSE 'after_review_closed' END,
	    series_zone(a.series_id), plan_json(p))
	FROM plans p JOIN anomalies a ON a.id = p.anomaly_id
	WHERE p.id = NEW.plan_id;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event_review AFTER INSERT OR UPDATE ON after_reviews
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION event_review();

-- Dossiers

CREATE OR REPLACE FUNCTION dossier_audit(p plans, a anomalies)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('id', u.id,
	    'at', audit_at(u.at), 'actor', u.actor, 'role', u.role,
	    'action', u.action, 'outcome', u.outcome, 'detail', u.detail,
	    'prev', encode(u.prev, 'hex'), 'hash', encode(u.hash, 'hex'))
	    ORDER BY u.id), '[]')
	FROM audit u
	WHERE u.at >= a.raised_at - interval '1 s'
	    AND ((u.outcome = 'refused' AND u.action LIKE 'plans\_%'
	        AND u.target = p.id::text)
	    OR EXISTS (SELECT FROM json_array_elements(u.changes) c
	        WHERE (c->>'table' IN ('plans', 'plan_approvals')
	            AND c->>'subject' = p.id::text)
	        OR (c->>'table' = 'anomalies'
	            AND c->>'subject' = a.id::text)
	        OR (c->>'table' = 'after_reviews' AND c->>'subject' IN (
	            SELECT id::text FROM after_reviews
	            WHERE plan_id = p.id))
	        OR (c->>'table' = 'commands' AND c->>'subject' IN (
	            SELECT id::text FROM commands
	            WHERE plan_id = p.id))))
$$;

-- It is an end only when nobody has to answer for it any more.
CREATE FUNCTION plan_is_final(p plans) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT p.closed_at IS NOT NULL AND NOT EXISTS (SELECT
	    FROM after_reviews r WHERE r.plan_id = p.id
	    AND r.closed_at IS NULL)
$$;

-- The rule that found the anomaly, as it was; NULL: a detector did.
CREATE FUNCTION dossier_rule(a anomalies) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('code', r.code, 'version', v.version,
	    'body', v.body, 'sha256', v.sha256, 'author', v.author,
	    'created_at', rfc3339(v.created_at))
	FROM rules r JOIN rule_versions v ON v.rule_id = r.id
	WHERE r.id = a.rule_no
	    AND v.version = substring(a.rule_id FROM '@([0-9]+)$')::int
$$;

CREATE OR REPLACE FUNCTION dossier_json(p plans) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
	a anomalies;
	-- What comes later than this is not of this end of the plan.
	until timestamptz := coalesce(p.closed_at, clock_timestamp());
BEGIN
	SELECT * INTO STRICT a FROM anomalies WHERE id = p.anomaly_id;
	RETURN (SELECT json_build_object('format', 'penstock dossier 1',
	    'plan', plan_json(p), 'final', plan_is_final(p),
	    'anomaly', anomaly_json(a), 'evidence', a.evidence,
	    'knowledge', json_build_object('rule', a.rule_id,
	        'rule_version', dossier_rule(a),
	        'limit', nullif(a.limit_value, 'NaN'),
	        'anomaly_version', a.knowledge_version,
	        'plan_version', p.knowledge_version,
	        'thresholds', (SELECT coalesce(json_agg(json_build_object(
	            'direction', h.direction, 'severity', h.severity,
	            'set_level', h.set_level, 'clear_level', h.clear_level,
	            'on_delay_s', h.on_delay_s, 'off_delay_s', h.off_delay_s,
	            'version', h.change,
	            'changed_since', h.change > a.knowledge_version)
	            ORDER BY h.id), '[]') FROM thresholds h
	            WHERE h.series_id = a.series_id),
	        'template', template_json(t),
	        'template_version', t.change,
	        'template_changed_since', t.change > p.knowledge_version),
	    'readings', json_build_object(
	        'trigger', dossier_readings(a.series_id,
	            a.first_at - interval '1 h',
	            least(until, a.first_at + interval '1 h'), until),
	        'effect', dossier_proof(p, p.effect_series_id, until),
	        'control', dossier_proof(p, p.control_series_id, until)),
	    'alternatives', p.reasons,
	    'approvals', (SELECT coalesce(json_agg(json_build_object(
	        'by', x.actor, 'at', rfc3339(x.at), 'row', x.row_id,
	        'to', x.to_state, 'facts', x.facts) ORDER BY x.id), '[]')
	        FROM transitions x WHERE x.subject = 'plan'
	        AND x.subject_id = p.id AND x.actor <> 'loop'),
	    'after_reviews', (SELECT coalesce(json_agg(after_review_json(r)
	        ORDER BY r.id), '[]') FROM after_reviews r
	        WHERE r.plan_id = p.id),
	    'commands', commands_json(p.id), 'verdict', p.verdict,
	    'moves', json_build_object(
	        'plan', transitions_json('plan', ARRAY[p.id]),
	        'commands', transitions_json('command',
	            ARRAY(SELECT id FROM commands WHERE plan_id = p.id))),
	    'audit', dossier_audit(p, a))
	FROM plan_templates t WHERE t.id = p.template_id);
END $$;

-- As before; an open after-review keeps it open.
CREATE OR REPLACE FUNCTION dossier_take(wanted bigint, OUT body text,
    OUT sha256 bytea) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	p plans;
	last bigint;
BEGIN
	-- Whoever is first seals.
	PERFORM pg_advisory_xact_lock(7305804411);
	SELECT * INTO p FROM plans WHERE id = wanted;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT max(x.id) INTO last FROM transitions x
	WHERE (x.subject = 'plan' AND x.subject_id = wanted)
	    OR (x.subject = 'command' AND x.subject_id IN (
	        SELECT c.id FROM commands c WHERE c.plan_id = wanted));
	SELECT d.body, d.sha256 INTO body, sha256 FROM dossiers d
	WHERE d.plan_id = wanted AND d.through = last;
	IF NOT FOUND THEN
		body := dossier_json(p)::text;
		sha256 := sha256(convert_to(body, 'UTF8'));
		IF plan_is_final(p) THEN
			INSERT INTO dossiers (plan_id, through, body, sha256)
			VALUES (wanted, coalesce(last, 0), body, sha256);
			PERFORM audit_add('dossiers', 'insert', NULL,
			    jsonb_build_object('id', wanted, 'through', last,
			    'sha256', encode(sha256, 'hex')));
		END IF;
	END IF;
	RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION dossiers_seal(most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT count(*) FROM (SELECT p.id FROM plans p
	    WHERE p.id IN (SELECT c.id FROM plans c
	        WHERE c.closed_at > now() - interval '1 d'
	    UNION SELECT r.plan_id FROM after_reviews r
	        WHERE r.closed_at > now() - interval '1 d')
	    AND plan_is_final(p) AND NOT EXISTS (
	        SELECT FROM dossiers d WHERE d.plan_id = p.id
	        AND d.sealed_at >= p.closed_at)
	    ORDER BY p.closed_at LIMIT most) w, dossier_take(w.id)
$$;
