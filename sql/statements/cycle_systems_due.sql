-- Systems with steps to judge, who has waited longest first. $1 timestamptz
-- now, $2 int8 most -> zone int4
WITH heard AS (
	SELECT t.zone_id, t.step_s, t.told, min(l.ts) AS slowest,
	    max(l.ts) AS fastest
	FROM system_states t CROSS JOIN unnest(t.members) u(series)
	    JOIN series_latest l ON l.series = u.series
	WHERE t.state IS NOT NULL
	GROUP BY t.zone_id
)
SELECT zone_id FROM heard
WHERE system_ready($1::timestamptz, step_s, slowest, fastest) > told
ORDER BY told, zone_id LIMIT $2::int8
