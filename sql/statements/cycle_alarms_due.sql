-- $1 timestamptz now, $2 int8 most -> id int8, series int4, type, direction,
-- severity, alarm_state text, open bool, priority text, last_at, alarm_at,
-- priority_at, turned_at, shelved_until timestamptz, times, escalations,
-- times_before int4, needs_ack, latching bool, escalate, climb, fall float8,
-- chatter_limit int4, chatter_window, chatter_hold float8, maintenance,
-- out_of_service, sensor_fault, successor int8, evidence text: alarms to look
-- at, and those of series whose sensor's fault is one of them. Locked; what
-- somebody else has locked comes in the next cycle.
WITH due AS (
	SELECT id, series_id, type FROM anomalies
	WHERE due_at <= $1::timestamptz
	ORDER BY due_at, id LIMIT $2::int8)
SELECT a.id, a.series_id, a.type, a.direction, a.severity, a.alarm_state,
    a.state = 'open', coalesce(a.priority, a.severity), a.last_at, a.alarm_at,
    a.priority_at, a.turned_at, a.shelved_until, a.times, a.escalations,
    CASE WHEN a.alarm_state = 'normal' THEN (SELECT b.times FROM anomalies b
	WHERE b.series_id = a.series_id AND b.type = a.type
	    AND b.direction = a.direction AND b.severity = a.severity
	    AND b.rule_no = a.rule_no
	    AND b.id < a.id AND b.turned_at
	    > $1::timestamptz - k.chatter_window_s * interval '1 s'
	ORDER BY b.id DESC LIMIT 1) END,
    k.needs_ack, k.latching, k.escalate_after_s, k.climb_after_s,
    k.fall_after_s, k.chatter_limit, k.chatter_window_s, k.chatter_hold_s,
    (SELECT min(h.id) FROM alarm_holds h WHERE h.kind = 'maintenance'
	AND h.ended_at IS NULL AND h.from_at <= $1::timestamptz
	AND (h.to_at > $1::timestamptz) IS NOT FALSE
	AND (h.series_id = s.id OR h.node_id = n.id OR h.zone_id = n.zone_id)),
    (SELECT min(h.id) FROM alarm_holds h WHERE h.kind = 'out_of_service'
	AND h.ended_at IS NULL AND h.from_at <= $1::timestamptz
	AND (h.to_at > $1::timestamptz) IS NOT FALSE
	AND (h.series_id = s.id OR h.node_id = n.id OR h.zone_id = n.zone_id)),
    (SELECT min(f.id) FROM anomalies f WHERE f.series_id = a.series_id
	AND f.type IN ('flatline', 'silence') AND f.state = 'open'
	AND f.first_at <= a.last_at AND f.type <> 'silence'),
    CASE WHEN a.state = 'cleared' AND a.alarm_state <> 'normal'
	THEN (SELECT min(b.id) FROM anomalies b
	WHERE b.series_id = a.series_id AND b.type = a.type
	    AND b.direction = a.direction AND b.severity = a.severity
	    AND b.rule_no = a.rule_no
	    AND b.id > a.id) END,
    CASE WHEN a.alarm_state = 'normal' THEN a.evidence::text END
FROM anomalies a
JOIN series s ON s.id = a.series_id
JOIN nodes n ON n.id = s.node_id
JOIN alarm_classes k ON k.id = a.severity
WHERE a.id IN (SELECT id FROM due UNION SELECT b.id FROM anomalies b
    WHERE b.series_id IN (SELECT d.series_id FROM due d
	WHERE d.type = 'flatline')
    AND (b.state = 'open' OR b.alarm_state <> 'normal'))
ORDER BY a.id
FOR UPDATE OF a SKIP LOCKED
