-- $1 timestamptz now: spans of quiet begin and end; their alarms are looked
-- at in this cycle, and people are told
WITH turned AS (
	UPDATE alarm_holds SET
	    ended_at = CASE WHEN to_at <= $1::timestamptz THEN to_at END,
	    ended_by = CASE WHEN to_at <= $1::timestamptz THEN 'loop' END,
	    turn_at = CASE WHEN to_at > $1::timestamptz THEN to_at END
	WHERE turn_at <= $1::timestamptz AND ended_at IS NULL
	RETURNING *),
woken AS (
	UPDATE anomalies a SET due_at = '-infinity'
	FROM turned h, series s JOIN nodes n ON n.id = s.node_id
	WHERE s.id = a.series_id AND (s.id = h.series_id
	    OR n.id = h.node_id OR n.zone_id = h.zone_id)
	    AND (a.state = 'open' OR a.alarm_state <> 'normal'))
INSERT INTO notifications (at, kind, subject, subject_id, audience, zone_id,
    facts)
SELECT $1::timestamptz, h.kind || CASE WHEN h.ended_at IS NULL
    THEN '_began' ELSE '_ended' END, 'hold', h.id, 'operator',
    CASE WHEN h.zone_id IS NOT NULL THEN h.zone_id
	WHEN h.node_id IS NOT NULL
	THEN (SELECT zone_id FROM nodes WHERE id = h.node_id)
	ELSE series_zone(h.series_id) END,
    jsonb_build_object('reason', h.reason, 'held', h.held)
FROM turned h ORDER BY h.id
