-- How a plan's effect is proved: what lies before and after, a dwell in
-- between, and a series that the plan does not touch to compare with.

ALTER TABLE plan_templates
	ADD COLUMN before_s float8 CHECK (before_s > 0), -- NULL: as the window
	ADD COLUMN dwell_s  float8 NOT NULL DEFAULT 0 CHECK (dwell_s >= 0),
	ADD COLUMN control  text NOT NULL DEFAULT 'none'
	    CHECK (control IN ('none', 'zone', 'neighbour'));

-- As the template had it when the plan was proposed.
ALTER TABLE plans
	ADD COLUMN before_s float8 NOT NULL DEFAULT 0, -- 0: as the window
	ADD COLUMN dwell_s  float8 NOT NULL DEFAULT 0,
	ADD COLUMN control_series_id int REFERENCES series;

-- The same metric on another node of that type, in the zone before any that a
-- link joins to it, which no action of the template moves anything at and
-- which is not ill itself; the first by code. Chosen before anything is done,
-- so that nobody chooses what suits the outcome.
CREATE FUNCTION plan_control(t plan_templates, effect int, anomaly bigint)
RETURNS int LANGUAGE sql STABLE AS $$
	SELECT s.id
	FROM series e JOIN nodes n ON n.id = e.node_id
	    JOIN series s ON s.metric_id = e.metric_id AND s.id <> e.id
	    JOIN nodes c ON c.id = s.node_id AND c.type = n.type
	WHERE e.id = effect AND t.control <> 'none' AND s.retired_at IS NULL
	    AND (c.zone_id = n.zone_id OR t.control = 'neighbour' AND EXISTS (
	        SELECT FROM links l JOIN nodes f ON f.id = l.from_node
	            JOIN nodes g ON g.id = l.to_node
	        WHERE (f.zone_id, g.zone_id) IN ((c.zone_id, n.zone_id),
	            (n.zone_id, c.zone_id))))
	    AND NOT EXISTS (SELECT FROM anomalies a
	        JOIN series x ON x.id = a.series_id
	        WHERE a.id = anomaly AND x.node_id = c.id)
	    AND NOT EXISTS (SELECT FROM links l
	        JOIN nodes g ON g.id = l.to_node
	        JOIN template_actions a ON a.template_id = t.id
	            AND a.target_type = l.type
	        WHERE c.id IN (l.from_node, l.to_node)
	            AND CASE a.target_relation WHEN 'inlet' THEN g.id = n.id
	                ELSE g.zone_id = n.zone_id END)
	    AND NOT EXISTS (SELECT FROM anomalies a
	        WHERE a.series_id = s.id AND a.state = 'open')
	ORDER BY (c.zone_id = n.zone_id) DESC NULLS LAST, c.code LIMIT 1
$$;

CREATE FUNCTION plan_prove() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	t plan_templates;
BEGIN
	SELECT * INTO t FROM plan_templates WHERE id = NEW.template_id;
	NEW.before_s := coalesce(t.before_s, 0);
	NEW.dwell_s := t.dwell_s;
	NEW.control_series_id := plan_control(t, NEW.effect_series_id,
	    NEW.anomaly_id);
	RETURN NEW;
END $$;
CREATE TRIGGER plans_prove BEFORE INSERT ON plans
	FOR EACH ROW EXECUTE FUNCTION plan_prove();

CREATE FUNCTION template_proof_json(t plan_templates) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('template', t.code,
	    'before_s', coalesce(t.before_s, t.effect_window_s),
	    'dwell_s', t.dwell_s, 'after_s', t.effect_window_s,
	    'control', t.control)
$$;

CREATE FUNCTION template_prove(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
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
	UPDATE plan_templates u SET before_s = (body->>'before_s')::float8,
	    dwell_s = coalesce((body->>'dwell_s')::float8, 0),
	    control = coalesce(body->>'control', 'none')
	WHERE u.id = t.id RETURNING * INTO t;
	RETURN ROW(template_proof_json(t), etag(t.change), NULL)::answer;
END $$;

-- What became of a template's plans, and the figures that planning counts on:
-- those that an engineer accepted.

CREATE INDEX plans_outcome_idx ON plans (template_id, id DESC)
	WHERE verdict IS NOT NULL;

-- What is not provable is no trial. A plan that was undone later was one.
CREATE FUNCTION template_outcome(of int, OUT trials int, OUT successes int)
LANGUAGE sql STABLE AS $$
	SELECT count(*) FILTER (WHERE verdict->>'verdict' IN ('worked',
	        'no_effect', 'worse'))::int,
	    count(*) FILTER (WHERE verdict->>'verdict' = 'worked')::int
	FROM plans WHERE template_id = of AND verdict IS NOT NULL
$$;

CREATE FUNCTION template_figures_json(t plan_templates) RETURNS json
LANGUAGE sql STABLE AS $$
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
	            AND verdict IS NOT NULL ORDER BY id DESC LIMIT 200) p))
	FROM template_outcome(t.id) o
$$;

-- Nobody accepts figures that he has not seen.
CREATE FUNCTION template_figures_accept(wanted text, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	t plan_templates;
	o record;
BEGIN
	PERFORM change_begin();
	SELECT * INTO t FROM plan_templates WHERE code = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no plan template %s',
		    wanted));
	END IF;
	SELECT * INTO o FROM template_outcome(t.id);
	IF (o.trials, o.successes) IS DISTINCT FROM ((body->>'trials')::int,
	    (body->>'successes')::int) THEN
		PERFORM refuse(409, format('by now %s of %s trials succeeded',
		    o.successes, o.trials));
	END IF;
	INSERT INTO template_figures AS f (template_id, trials, successes,
	    accepted_at, accepted_by)
	VALUES (t.id, o.trials, o.successes, now(), who)
	ON CONFLICT (template_id) DO UPDATE SET trials = excluded.trials,
	    successes = excluded.successes,
	    accepted_at = excluded.accepted_at,
	    accepted_by = excluded.accepted_by;
	RETURN ROW(template_figures_json(t), NULL, NULL)::answer;
END $$;
