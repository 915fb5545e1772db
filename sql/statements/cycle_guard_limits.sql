-- Within which values alone a command leaves. $1 int8 command
-- -> name text (of its template's guard, '': it bounds the link), series int4
-- (0: the node has none of that metric), low, high float8 (NaN: none)
SELECT w.name, coalesce(w.series_id, 0), coalesce(w.low, 'NaN'),
    coalesce(w.high, 'NaN')
FROM commands c
JOIN plans p ON p.id = c.plan_id
JOIN anomalies a ON a.id = p.anomaly_id
JOIN series n ON n.id = a.series_id
CROSS JOIN LATERAL (
    SELECT '' AS name, i.id, i.series_id, i.low, i.high
    FROM link_limits i
    WHERE i.link_id = c.link_id AND (i.action IS NULL OR i.action = c.action)
    UNION ALL
    SELECT g.name, 0, s.id, g.low, g.high
    FROM template_guards g
    LEFT JOIN series s ON s.node_id = n.node_id AND s.metric_id = g.metric_id
	AND s.retired_at IS NULL
    WHERE g.template_id = p.template_id AND p.undoes IS NULL) w
WHERE c.id = $1::int8
ORDER BY w.name, w.id
