-- The series of a zone that may be its signals, 257 at most. $1 int4 zone
-- -> series int4, node text, metric text, status bool, newest timestamptz
SELECT v.id, v.node, v.metric, v.kind = 'status', l.ts
FROM system_series v LEFT JOIN series_latest l ON l.series = v.id
WHERE v.zone_id = $1::int4 ORDER BY v.id LIMIT 257
