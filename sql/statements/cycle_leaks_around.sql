-- What may tell of an area's leak. $1 int4 its lead, $2 text its zone (NULL: it
-- is in none), $3 members and $4 signs as text, $5 bool: its meters only
-- -> kind int4 (core/leak_port.h), name text, metric text, members int4[],
--    signs float8[]: the pressures of the zone's nodes, the areas of zones that
--    a link leads to, and the meters of the area itself
WITH mine AS MATERIALIZED (
	SELECT n.id FROM nodes n JOIN zones z ON z.id = n.zone_id
	WHERE z.code = $2::text AND n.retired_at IS NULL AND NOT $5::bool
), beside AS (
	SELECT DISTINCT z.code FROM links l
	    JOIN nodes n ON n.id IN (l.from_node, l.to_node)
	    JOIN zones z ON z.id = n.zone_id
	WHERE (l.from_node IN (SELECT id FROM mine)
	    OR l.to_node IN (SELECT id FROM mine)) AND z.code <> $2
)
(SELECT 0, n.code, NULL::text, ARRAY[s.id], '{1}'::float8[]
FROM mine JOIN nodes n ON n.id = mine.id JOIN series s ON s.node_id = n.id
    JOIN metrics m ON m.id = s.metric_id
WHERE m.code = 'pressure' AND s.kind = 'instant' AND s.retired_at IS NULL
ORDER BY s.id LIMIT 50)
UNION ALL
(SELECT 1, t.zone, NULL, t.members, t.signs FROM leak_states t
WHERE t.zone IN (SELECT code FROM beside) AND t.lead <> $1::int4
ORDER BY t.lead LIMIT 20)
UNION ALL
(SELECT 2, n.code, m.code, ARRAY[u.id], ARRAY[u.sign]
FROM unnest($3::text::int[], $4::text::float8[])
    WITH ORDINALITY u(id, sign, ord)
    JOIN series s ON s.id = u.id JOIN nodes n ON n.id = s.node_id
    JOIN metrics m ON m.id = s.metric_id
ORDER BY u.ord)
