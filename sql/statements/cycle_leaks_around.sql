-- What may tell of an area's leak. $1 int4 its lead, $2 text its zone
-- -> name text, pressure bool, members int4[], signs float8[]: the pressures of
-- the zone's nodes, and the areas of zones that a link leads to
WITH mine AS MATERIALIZED (
	SELECT n.id FROM nodes n JOIN zones z ON z.id = n.zone_id
	WHERE z.code = $2::text AND n.retired_at IS NULL
), beside AS (
	SELECT DISTINCT z.code FROM links l
	    JOIN nodes n ON n.id IN (l.from_node, l.to_node)
	    JOIN zones z ON z.id = n.zone_id
	WHERE (l.from_node IN (SELECT id FROM mine)
	    OR l.to_node IN (SELECT id FROM mine)) AND z.code <> $2
)
(SELECT n.code, true, ARRAY[s.id], '{1}'::float8[]
FROM mine JOIN nodes n ON n.id = mine.id JOIN series s ON s.node_id = n.id
    JOIN metrics m ON m.id = s.metric_id
WHERE m.code = 'pressure' AND s.kind = 'instant' AND s.retired_at IS NULL
ORDER BY s.id LIMIT 50)
UNION ALL
(SELECT t.zone, false, t.members, t.signs FROM leak_states t
WHERE t.zone IN (SELECT code FROM beside) AND t.lead <> $1::int4
ORDER BY t.lead LIMIT 20)
