-- The signals of a system in their order. $1 int4 zone -> series int4, node
-- text, metric text, status bool
SELECT s.id, n.code, m.code, s.kind = 'status'
FROM system_states t CROSS JOIN unnest(t.members) WITH ORDINALITY u(id, place)
    JOIN series s ON s.id = u.id JOIN nodes n ON n.id = s.node_id
    JOIN metrics m ON m.id = s.metric_id
WHERE t.zone_id = $1::int4 ORDER BY u.place
