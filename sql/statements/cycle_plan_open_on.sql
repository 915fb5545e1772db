-- $1 int4 link -> the plan that is not final and has a command for it, one
-- that was agreed to first: id int8, state, severity of its anomaly text, the
-- plan it undoes int8 (0: none)
SELECT p.id, p.state, a.severity, coalesce(p.undoes, 0)
FROM commands c
JOIN plans p ON p.id = c.plan_id
JOIN anomalies a ON a.id = p.anomaly_id
WHERE p.closed_at IS NULL AND c.link_id = $1::int4
ORDER BY p.state = 'proposed', p.id LIMIT 1
