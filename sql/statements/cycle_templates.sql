-- -> id int4, code, metric, anomaly type, direction, least severity, node
-- type text, priority int4, effect metric, effect direction text,
-- effect_least, effect_window_s, expires_s, command_life_s float8
SELECT t.id, t.code, m.code, coalesce(t.anomaly_type, ''),
    coalesce(t.direction, 'none'), t.least_severity,
    coalesce(t.node_type, ''), t.priority, coalesce(e.code, ''),
    coalesce(t.effect_direction, 'none'), t.effect_least, t.effect_window_s,
    t.expires_s, t.command_life_s
FROM plan_templates t
JOIN metrics m ON m.id = t.metric_id
LEFT JOIN metrics e ON e.id = t.effect_metric_id
WHERE t.enabled
ORDER BY t.priority, t.id
