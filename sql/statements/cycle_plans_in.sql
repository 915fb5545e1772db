-- Plans that are not final. $1 text state, $2 int8 most -> id, anomaly_id int8, template_id int4,
-- state text, proposed_at, expires_at, decided_at, executed_at timestamptz,
-- effect series int4, effect direction text, effect_least, effect_window_s
-- float8, reasons text, knowledge_version int8, anomaly cleared int4
-- (0, 1; never if it undoes another), risk text, the plan it undoes int8 (0:
-- none), may run unasked in an emergency int4 (0, 1),
-- before_s, dwell_s float8, control_series int4 (0: none), sent_at of its
-- first command, first_at of its anomaly, or of what the plan it undoes made,
-- timestamptz
SELECT p.id, p.anomaly_id, p.template_id, p.state, p.proposed_at, p.expires_at,
    p.decided_at, p.executed_at, coalesce(p.effect_series_id, 0),
    p.effect_direction, p.effect_least, p.effect_window_s, p.reasons::text,
    p.knowledge_version, (a.state = 'cleared' AND p.undoes IS NULL)::int4,
    p.risk, coalesce(p.undoes, 0),
    (t.protective AND t.preapproved_by IS NOT NULL AND p.undoes IS NULL
	AND t.change <= p.knowledge_version)::int4,
    p.before_s, p.dwell_s, coalesce(p.control_series_id, 0) AS control_series,
    p.sent_at, coalesce((SELECT o.executed_at + o.dwell_s * interval '1 s'
	FROM plans o WHERE o.id = p.undoes), a.first_at) AS first_at
FROM plans p JOIN anomalies a ON a.id = p.anomaly_id
JOIN plan_templates t ON t.id = p.template_id
WHERE p.state = $1::text AND p.closed_at IS NULL ORDER BY p.id LIMIT $2::int8
