-- $1 jsonb array of alarms, $2 jsonb array of their moves in order, $3 int8
-- knowledge_version: what the loop made of alarms that it has locked. What
-- kept an alarm quiet counts it; an escalation is told of.
WITH moves AS (
	SELECT * FROM jsonb_to_recordset($2::jsonb) AS m(n int, id int8,
	    "row" text, "from" text, "to" text, event text, at timestamptz,
	    facts jsonb)),
put AS (
	UPDATE anomalies a SET alarm_state = p.state, priority = p.priority,
	    alarm_at = p.state_at, priority_at = p.priority_at,
	    turned_at = p.turned_at, shelved_until = p.shelved_until,
	    due_at = p.due_at, times = p.times, escalations = p.escalations,
	    acked_at = CASE WHEN p.again THEN NULL ELSE a.acked_at END,
	    acked_by = CASE WHEN p.again THEN NULL ELSE a.acked_by END,
	    version = a.version + p.moves
	FROM jsonb_to_recordset($1::jsonb) AS p(id int8, state text,
	    priority text, state_at timestamptz, priority_at timestamptz,
	    turned_at timestamptz, shelved_until timestamptz,
	    due_at timestamptz, times int, escalations int, again bool,
	    moves int)
	WHERE a.id = p.id),
held AS (
	UPDATE alarm_holds h SET held = h.held + c.n
	FROM (SELECT (facts->>'hold')::int8 AS id, count(*) AS n FROM moves
	    WHERE event IN ('suppress', 'take_out') GROUP BY 1) c
	WHERE h.id = c.id),
told AS (
	INSERT INTO notifications (at, kind, subject, subject_id, level,
	    audience, zone_id, facts)
	SELECT m.at, 'escalation', 'anomaly', m.id,
	    (m.facts->>'level')::int, CASE m.facts->>'level'
	    WHEN '1' THEN 'operator' ELSE 'engineer' END,
	    series_zone(a.series_id), m.facts
	FROM moves m JOIN anomalies a ON a.id = m.id
	WHERE m.event = 'escalate')
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'alarm', id, "row", "from", "to", at, 'loop', facts, $3::int8
FROM moves ORDER BY n
