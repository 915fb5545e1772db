-- -> id int4, code, metric, anomaly type, direction, least severity, node
-- type text, priority int4, effect metric, effect direction text,
-- effect_least, effect_window_s, expires_s, command_life_s float8, risk,
-- effect_at text, trials, successes int4, metrics of its guards text (codes
-- with commas), may run unasked in an emergency int4 (0, 1)
SELECT t.id, t.code, m.code, coalesce(t.anomaly_type, ''),
    coalesce(t.direction, 'none'), t.least_severity,
    coalesce(t.node_type, ''), t.priority, coalesce(e.code, ''),
    coalesce(t.effect_direction, 'none'), t.effect_least, t.effect_window_s,
    t.expires_s, t.command_life_s, t.risk, t.effect_at,
    coalesce(f.trials, 0), coalesce(f.successes, 0),
    coalesce((SELECT string_agg(x.code, ',' ORDER BY g.name)
        FROM template_guards g JOIN metrics x ON x.id = g.metric_id
        WHERE g.template_id = t.id), ''),
    (t.protective AND t.preapproved_by IS NOT NULL)::int4
FROM plan_templates t
JOIN metrics m ON m.id = t.metric_id
LEFT JOIN metrics e ON e.id = t.effect_metric_id
LEFT JOIN template_figures f ON f.template_id = t.id
WHERE t.enabled
ORDER BY t.priority, t.id
