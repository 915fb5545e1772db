-- -> id, node_id int4, node, node type, zone, metric, unit, kind text,
-- cadence_s, silence_s, max_rate_per_min, flatline_s, outlier_k float8,
-- unwatched bool
SELECT s.id, s.node_id, n.code, n.type, coalesce(z.code, ''), m.code, m.unit,
    s.kind, s.cadence_s, s.silence_s, s.max_rate_per_min, s.flatline_s,
    s.outlier_k, NOT s.watched
FROM series s
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id
LEFT JOIN zones z ON z.id = n.zone_id
WHERE s.retired_at IS NULL AND n.retired_at IS NULL
ORDER BY s.id
