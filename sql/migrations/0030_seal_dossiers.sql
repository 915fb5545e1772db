-- What a regulator asks of a plan, as one document. Once a plan is closed its
-- dossier is sealed: kept as the bytes that everybody gets from then on, and
-- their hash goes into the chain of audit. A plan that moves again after that
-- has a dossier for each of its ends.
CREATE TABLE dossiers (
	plan_id bigint NOT NULL REFERENCES plans,
	through bigint NOT NULL, -- newest transition of plan or commands
	body    text NOT NULL,
	sha256  bytea NOT NULL,
	sealed_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (plan_id, through)
);

-- Merged readings of a series from `t0` on before `t1` that were known by
-- `known`; the first 1,000.
CREATE FUNCTION dossier_readings(wanted int, t0 timestamptz, t1 timestamptz,
    known timestamptz) RETURNS json LANGUAGE sql STABLE AS $$
	WITH these AS (
		SELECT u.*, row_number() OVER (ORDER BY u.ts) AS i
		FROM segments g, packed_readings(g.data) u
		WHERE g.series = wanted AND g.class = (SELECT m.class
		    FROM series s JOIN metrics m ON m.id = s.metric_id
		    WHERE s.id = wanted)
		    AND g.t0 >= date_trunc('month', dossier_readings.t0, 'UTC')
		    AND g.t0 < dossier_readings.t1
		    AND g.t1 >= dossier_readings.t0
		    AND u.ts >= dossier_readings.t0
		    AND u.ts < dossier_readings.t1 AND u.received_at <= known
		ORDER BY u.ts LIMIT 1001
	)
	SELECT json_build_object('node', n.code, 'metric', m.code,
	    'unit', m.unit, 'from', rfc3339(t0), 'to', rfc3339(t1),
	    'items', (SELECT coalesce(json_agg(json_build_object(
	        'ts', rfc3339(ts), 'value', nullif(value, 'NaN'),
	        'quality', quality, 'received_at', rfc3339(received_at))
	        ORDER BY ts) FILTER (WHERE i <= 1000), '[]') FROM these),
	    'more', (SELECT count(*) > 1000 FROM these))
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE s.id = wanted
$$;

-- Rows of audit on the plan, its commands and its anomaly, and on what was
-- refused to be done with it.
CREATE FUNCTION dossier_audit(p plans, a anomalies)
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
	        WHERE (c->>'table' = 'plans'
	            AND c->>'subject' = p.id::text)
	        OR (c->>'table' = 'anomalies'
	            AND c->>'subject' = a.id::text)
	        OR (c->>'table' = 'commands' AND c->>'subject' IN (
	            SELECT id::text FROM commands
	            WHERE plan_id = p.id))))
$$;

CREATE FUNCTION dossier_json(p plans) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
	a anomalies;
	-- What comes later than this is not of this end of the plan.
	until timestamptz := coalesce(p.closed_at, clock_timestamp());
BEGIN
	SELECT * INTO STRICT a FROM anomalies WHERE id = p.anomaly_id;
	RETURN (SELECT json_build_object('format', 'penstock dossier 1',
	    'plan', plan_json(p), 'final', p.closed_at IS NOT NULL,
	    'anomaly', anomaly_json(a), 'evidence', a.evidence,
	    'knowledge', json_build_object('rule', a.rule_id,
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
	        'effect', CASE WHEN p.executed_at IS NOT NULL THEN
	            dossier_readings(p.effect_series_id, p.executed_at
	            - p.effect_window_s * interval '1 s', until, until) END),
	    'alternatives', p.reasons,
	    'approvals', (SELECT coalesce(json_agg(json_build_object(
	        'by', x.actor, 'at', rfc3339(x.at), 'row', x.row_id,
	        'to', x.to_state, 'facts', x.facts) ORDER BY x.id), '[]')
	        FROM transitions x WHERE x.subject = 'plan'
	        AND x.subject_id = p.id AND x.actor <> 'loop'),
	    'commands', commands_json(p.id), 'verdict', p.verdict,
	    'moves', json_build_object(
	        'plan', transitions_json('plan', ARRAY[p.id]),
	        'commands', transitions_json('command',
	            ARRAY(SELECT id FROM commands WHERE plan_id = p.id))),
	    'audit', dossier_audit(p, a))
	FROM plan_templates t WHERE t.id = p.template_id);
END $$;

-- The dossier as it is now, sealed if the plan is closed.
CREATE FUNCTION dossier_take(wanted bigint, OUT body text, OUT sha256 bytea)
RETURNS SETOF record
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
		IF p.closed_at IS NOT NULL THEN
			INSERT INTO dossiers (plan_id, through, body, sha256)
			VALUES (wanted, coalesce(last, 0), body, sha256);
			PERFORM audit_add('dossiers', 'insert', NULL,
			    jsonb_build_object('id', wanted, 'through', last,
			    'sha256', encode(sha256, 'hex')));
		END IF;
	END IF;
	RETURN NEXT;
END $$;

-- Seals what was closed within a day and nobody asked for, some of it.
CREATE FUNCTION dossiers_seal(most int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT count(*) FROM (SELECT p.id FROM plans p
	    WHERE p.closed_at > now() - interval '1 d' AND NOT EXISTS (
	        SELECT FROM dossiers d WHERE d.plan_id = p.id
	        AND d.sealed_at >= p.closed_at)
	    ORDER BY p.closed_at LIMIT most) w, dossier_take(w.id)
$$;
CREATE INDEX plans_closed_idx ON plans (closed_at)
	WHERE closed_at IS NOT NULL;

REVOKE INSERT, UPDATE, DELETE ON dossiers FROM penstock_serve;
REVOKE ALL ON FUNCTION dossier_take(bigint), dossiers_seal(int)
    FROM penstock_archive;
