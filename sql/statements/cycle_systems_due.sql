-- Systems with steps to judge, or of whose signals fewer than two are left in
-- their zone, who has waited longest first. $1 timestamptz now, $2 int8 most
-- -> zone int4
WITH heard AS (
	SELECT t.zone_id, t.step_s, t.told, min(l.ts) AS slowest,
	    max(l.ts) AS fastest, count(v.id) AS "left"
	FROM system_states t CROSS JOIN unnest(t.members) u(series)
	    LEFT JOIN series_latest l ON l.series = u.series
	    LEFT JOIN system_series v ON v.id = u.series
	        AND v.zone_id = t.zone_id
	WHERE t.state IS NOT NULL
	GROUP BY t.zone_id
)
SELECT zone_id FROM heard
WHERE "left" < 2
    OR system_ready($1::timestamptz, step_s, slowest, fastest) > told
ORDER BY told, zone_id LIMIT $2::int8
