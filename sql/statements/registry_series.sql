-- Series changed after $1 (bigint), oldest change first, in pages.
-- -> id, node code, metric code, unit, canonical unit, kind, plausible low,
--    plausible high, retired, change
SELECT s.id, n.code, m.code, s.unit, m.unit, s.kind, m.plausible_low,
    m.plausible_high, s.retired_at IS NOT NULL, s.change
FROM series s
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id
WHERE s.change > $1
ORDER BY s.change
LIMIT 20000
