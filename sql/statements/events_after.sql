-- Events behind one. $1 bigint id, $2 int at most
-- -> id up to which events are gone, then an event's id, kind, type, zone's
-- id, body; without any, one row of NULLs
SELECT s.pruned, e.id, e.kind, e.type, e.zone_id, e.body
FROM event_state s LEFT JOIN LATERAL (
	SELECT id, kind, type, zone_id, body FROM events
	WHERE id > $1::bigint ORDER BY id LIMIT $2::int) e ON true
ORDER BY e.id
