-- $1 int8 most, $2 timestamptz fresh -> id int8, series int4, type, direction,
-- severity, rule_id text, first_at, last_at timestamptz, value, limit float8,
-- evidence text, knowledge_version int8, number of the rule
-- int4: open and due for planning. What was
-- planned before comes back when what held it back has gone, as long as its
-- evidence is not older than $2. A person's rejection stands, but that
-- of what a person proposed says nothing of the loop's own. What is kept
-- quiet is not planned for.
SELECT id, series_id, type, direction, severity, rule_id, first_at, last_at,
    value, limit_value, evidence::text, knowledge_version, rule_no
FROM anomalies a
WHERE state = 'open' AND alarm_state NOT IN ('shelved',
    'suppressed_by_design', 'out_of_service') AND (planning IS NULL OR last_at >= $2::timestamptz AND
    CASE planning
    WHEN 'no_plan_fits' THEN planning_reasons ? 'history'
    WHEN 'plan_open' THEN NOT EXISTS (SELECT FROM plans p
	JOIN commands c ON c.plan_id = p.id JOIN links l ON l.id = c.link_id
	WHERE p.closed_at IS NULL AND l.code = a.planning_reasons->>'link')
    WHEN 'proposed' THEN NOT EXISTS (SELECT FROM plans p
	WHERE p.anomaly_id = a.id AND p.state NOT IN ('expired', 'failed',
	    'superseded') AND NOT (p.proposed_by IS NOT NULL
	    AND p.state IN ('rejected', 'cancelled')))
    END)
ORDER BY array_position('{critical,warning,info}', severity), id
LIMIT $1::int8
