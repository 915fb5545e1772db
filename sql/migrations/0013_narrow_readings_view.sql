-- As before, but a log row's reading is looked for in its own UTC day, which
-- no segment leaves, not in all that its series ever had: 4.5 s to 0.1 s for
-- 10,000 readings in the log and 50 days of hourly segments.
CREATE OR REPLACE VIEW readings AS
SELECT n.code AS node, m.code AS metric, r.ts, r.value, m.unit, r.quality,
    r.received_at, r.merged, r.series
FROM (
	SELECT g.series, u.ts, u.value, u.quality, u.received_at, true AS merged
	FROM segments g, unnest(g.ts, g.value, g.quality, g.received)
	    AS u(ts, value, quality, received_at)
	UNION ALL
	SELECT l.series, l.ts, l.value, l.quality, l.received_at, false
	FROM (
		SELECT DISTINCT ON (u.series, u.ts) u.series, u.ts, u.value,
		    u.quality, l.received_at
		FROM ingest_log l, unnest(l.series, l.ts, l.value, l.quality)
		    WITH ORDINALITY AS u(series, ts, value, quality, ord)
		ORDER BY u.series, u.ts, l.id, u.ord
	) l
	WHERE NOT EXISTS (SELECT FROM segments g WHERE g.series = l.series
	    AND g.t0 >= date_trunc('day', l.ts, 'UTC') AND g.t0 <= l.ts
	    AND g.t1 >= l.ts AND l.ts = ANY (g.ts))
) r
JOIN series s ON s.id = r.series
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id;
