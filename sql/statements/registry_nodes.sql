-- Nodes changed after $1 (bigint), oldest change first, in pages.
-- -> code, zone (null: none), retired, change
SELECT n.code, z.code, n.retired_at IS NOT NULL, n.change
FROM nodes n LEFT JOIN zones z ON z.id = n.zone_id
WHERE n.change > $1
ORDER BY n.change
LIMIT 20000
