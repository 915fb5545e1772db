-- -> link id int4, code, type text, to_node int4, its zone text, gateway id
-- int4, code text: links that a gateway can move
SELECT l.id, l.code, l.type, l.to_node, coalesce(z.code, ''), g.id, g.code
FROM links l
JOIN gateways g ON g.id = l.gateway_id
JOIN nodes n ON n.id = l.to_node
LEFT JOIN zones z ON z.id = n.zone_id
ORDER BY l.id
