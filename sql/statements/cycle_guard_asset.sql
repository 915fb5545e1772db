-- What the guards of a command look at. $1 int8 command, $2 timestamptz now
-- -> hands off: where (a zone, or "everywhere"), by whom, why text; locked_by,
-- lock_reason text; max_per_hour int4, min_interval_s float8, other commands
-- that moved the link within the hour int8, the newest's time timestamptz;
-- exclusion text, and whose live plan has a link of it: link text, plan int8
WITH c AS (
	SELECT c.id, c.plan_id, l.*, l.id AS link, t.zone_id AS to_zone,
	    f.zone_id AS from_zone
	FROM commands c JOIN links l ON l.id = c.link_id
	JOIN nodes t ON t.id = l.to_node JOIN nodes f ON f.id = l.from_node
	WHERE c.id = $1::int8
)
SELECT h.place, h.set_by, h.reason, c.locked_by, c.lock_reason,
    coalesce(c.max_per_hour, 0), coalesce(c.min_interval_s, 0), m.n, m.newest,
    c.exclusion, e.link, coalesce(e.plan_id, 0)
FROM c
LEFT JOIN LATERAL (SELECT coalesce(z.code, 'everywhere') AS place, o.set_by,
    o.reason FROM hands_off o LEFT JOIN zones z ON z.id = o.zone_id
    WHERE o.released_at IS NULL AND (o.zone_id IS NULL
        OR o.zone_id IN (c.to_zone, c.from_zone))
    ORDER BY o.zone_id NULLS FIRST LIMIT 1) h ON true
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE o.sent_at >
        $2::timestamptz - interval '1 h') AS n, max(o.sent_at) AS newest
    FROM commands o WHERE o.link_id = c.link AND o.id <> $1::int8
        AND o.state IN ('sent', 'accepted', 'executed', 'verified',
	    'unknown')) m
LEFT JOIN LATERAL (SELECT l.code AS link, p.id AS plan_id
    FROM links l JOIN commands o ON o.link_id = l.id
    JOIN plans p ON p.id = o.plan_id
    WHERE l.exclusion = c.exclusion AND l.id <> c.link
        AND p.closed_at IS NULL AND p.id <> c.plan_id
        AND p.state IN ('executing', 'verifying')
    ORDER BY p.id LIMIT 1) e ON true
