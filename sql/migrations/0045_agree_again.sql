-- What people agreed to holds while they may agree, and a link is taken while
-- anything that was sent to it may still act.

-- How many different people, who may still act, agree to it now.
CREATE OR REPLACE FUNCTION approvals_held(p plans) RETURNS int
LANGUAGE sql STABLE AS $$
	SELECT count(DISTINCT v.username)::int FROM plan_approvals v
	WHERE v.plan_id = p.id AND v.decision = 'approve'
	    AND v.at > clock_timestamp() - p.approval_life_s * interval '1 s'
	    AND NOT EXISTS (SELECT FROM users u WHERE u.username = v.username
	        AND u.disabled_at IS NOT NULL)
	    AND NOT EXISTS (SELECT FROM revocations r
	        WHERE r.principal = v.username AND r.before > v.at)
$$;

-- As before; what it undoes may wait for its verdict, and what was sent for a
-- plan that ended meanwhile is waited for.
CREATE OR REPLACE FUNCTION plan_claim(wanted bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	live record;
	undone bigint := (SELECT undoes FROM plans WHERE id = wanted);
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('link', l.link_id))
	FROM (SELECT DISTINCT link_id FROM commands WHERE plan_id = wanted
	    ORDER BY link_id) l;
	SELECT p.id, k.code INTO live FROM commands c
	    JOIN commands o ON o.link_id = c.link_id AND o.plan_id <> wanted
	    JOIN plans p ON p.id = o.plan_id JOIN links k ON k.id = c.link_id
	WHERE c.plan_id = wanted AND (p.state IN ('approved', 'executing')
	    OR (p.state = 'verifying' AND p.id IS DISTINCT FROM undone)
	    OR o.state IN ('sent', 'accepted')
	    OR (o.state = 'unknown' AND o.dead_at IS NULL))
	ORDER BY p.id LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(409, format('plan %s is about link %s still',
		    live.id, live.code));
	END IF;
END $$;

-- Sending a failed plan on its way again is agreeing to it again. What is
-- checked is the row that says who did, as with zones.
CREATE FUNCTION check_redrive() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	p plans;
	agreed boolean;
BEGIN
	SELECT * INTO STRICT p FROM plans WHERE id = NEW.subject_id;
	IF p.risk = 'high' AND NEW.actor = ANY (p.authors) THEN
		PERFORM refuse(403, format('%s is an author of plan %s: its '
		    'high risk takes two other people', NEW.actor, p.id));
	END IF;
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
CREATE TRIGGER transitions_redrive BEFORE INSERT ON transitions
	FOR EACH ROW WHEN (NEW.subject = 'plan' AND NEW.row_id = 'P12')
	EXECUTE FUNCTION check_redrive();

-- What undoes a plan is as risky as its template says by now, if that is more.
CREATE FUNCTION plan_undo_risk() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	now_is text := (SELECT risk FROM plan_templates
	    WHERE id = NEW.template_id);
BEGIN
	NEW.risk := CASE WHEN 'high' IN (NEW.risk, now_is) THEN 'high'
	    WHEN 'medium' IN (NEW.risk, now_is) THEN 'medium' ELSE 'low' END;
	RETURN NEW;
END $$;
CREATE TRIGGER plans_undo_risk BEFORE INSERT ON plans
	FOR EACH ROW WHEN (NEW.undoes IS NOT NULL)
	EXECUTE FUNCTION plan_undo_risk();

-- A policy lets no plan run whose template was switched off or made riskier
-- since; plan_unasked() takes the refusal for a no.
CREATE FUNCTION check_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM plans p JOIN plan_templates t
	    ON t.id = p.template_id WHERE p.id = NEW.plan_id AND t.enabled
	    AND (NEW.username <> 'policy:low-risk' OR t.risk = 'low')) THEN
		PERFORM refuse(409, format('the template of plan %s is '
		    'another by now', NEW.plan_id));
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER plan_approvals_policy BEFORE INSERT ON plan_approvals
	FOR EACH ROW WHEN (NEW.decision = 'policy')
	EXECUTE FUNCTION check_policy();
