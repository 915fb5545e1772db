-- Spans of which a system does not learn: what was found in it, two weeks of
-- each at most (what stays becomes usual), and where somebody interfered.
-- $1 int4 zone, $2 timestamptz from, $3 to -> from, to timestamptz
SELECT a.first_at, CASE WHEN a.type = 'manipulation' THEN a.last_at
    ELSE least(a.last_at, a.first_at + interval '14 days') END
FROM anomalies a JOIN series s ON s.id = a.series_id
    JOIN nodes n ON n.id = s.node_id
WHERE n.zone_id = $1::int4 AND a.type IN ('joint', 'manipulation')
    AND a.rule_no = 0 AND a.last_at >= $2::timestamptz
    AND a.first_at < $3::timestamptz
ORDER BY a.first_at LIMIT 1000
