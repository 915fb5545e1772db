-- A dossier holds the readings that the verdict rests on: from before the
-- approval on, of the series and of its control.

CREATE FUNCTION dossier_proof(p plans, of int, until timestamptz) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT dossier_readings(of, coalesce(p.decided_at, p.executed_at)
	    - coalesce(nullif(p.before_s, 0), p.effect_window_s)
	    * interval '1 s', until, until)
	WHERE p.executed_at IS NOT NULL
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
	        'effect', dossier_proof(p, p.effect_series_id, until),
	        'control', dossier_proof(p, p.control_series_id, until)),
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
