-- $1 int4 series, $2 text type, $3 direction, $4 severity, $5 rule_id,
-- $6 timestamptz first_at, $7 last_at, $8 float8 value, $9 limit_value,
-- $10 jsonb evidence, $11 int8 knowledge_version, $12 int4 number of the
-- rule -> id int8, new bool
-- Evidence only moves forward, but for since when it is, and of a zone what it
-- was raised for, which later steps tell no more of: `first`. The update goes
-- first so that a condition that lasts uses no new number each cycle; the index decides all the same. One
-- that comes back while its alarm is shelved, or within the hold of one that
-- chatters, is the same anomaly; else it is another, and the loop looks at the
-- one before, too. Event times count: hours that come in one batch are apart.
WITH was AS (
	SELECT id, state FROM anomalies
	WHERE series_id = $1::int4 AND type = $2::text
	    AND direction = $3::text AND severity = $4::text
	    AND rule_no = $12::int4
	    AND (state = 'open' OR alarm_state <> 'normal')
	    AND (state = 'open' OR alarm_state = 'shelved'
		OR alarm_state IN ('unacknowledged', 'acknowledged')
		AND EXISTS (SELECT FROM alarm_classes k
		    WHERE k.id = severity AND times >= k.chatter_limit
		    AND $6::timestamptz < cleared_at
			+ k.chatter_hold_s * interval '1 s'))
	ORDER BY state DESC, id DESC LIMIT 1),
held AS (
	UPDATE anomalies a SET last_at = greatest(last_at, $7::timestamptz),
	    value = CASE WHEN $7::timestamptz >= last_at THEN $8::float8
		ELSE value END,
	    evidence = CASE WHEN $7::timestamptz >= last_at THEN $10::jsonb
		|| CASE WHEN evidence ? 'since' THEN jsonb_build_object('since',
		    evidence->'since') ELSE '{}' END
		|| CASE WHEN evidence ? 'step_s' THEN jsonb_build_object('first',
		    coalesce(evidence->'first', evidence
			- ARRAY['zone', 'since', 'step_s', 'looks_like']))
		    ELSE '{}' END
		ELSE evidence END,
	    state = 'open', cleared_at = NULL,
	    turned_at = CASE was.state WHEN 'open' THEN turned_at END,
	    due_at = CASE was.state WHEN 'open' THEN due_at
		ELSE '-infinity' END
	FROM was WHERE a.id = was.id
	RETURNING a.id, was.state),
reopened AS (
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	SELECT 'anomaly', id, 'A2', 'cleared', 'open', $7::timestamptz, 'loop',
	    $10::jsonb, $11::int8
	FROM held WHERE state = 'cleared'),
opened AS (
	INSERT INTO anomalies AS a (series_id, type, direction, severity,
	    state, rule_id, first_at, last_at, value, limit_value, evidence,
	    knowledge_version, rule_no)
	SELECT $1::int4, $2::text, $3::text, $4::text, 'open', $5::text,
	    $6::timestamptz, $7::timestamptz, $8::float8, $9::float8,
	    $10::jsonb, $11::int8, $12::int4
	WHERE NOT EXISTS (SELECT FROM held)
	ON CONFLICT (series_id, type, direction, severity, rule_no)
	    WHERE state = 'open'
	DO UPDATE SET last_at = greatest(a.last_at, excluded.last_at)
	RETURNING id, xmax = 0 AS fresh),
woken AS (
	UPDATE anomalies SET due_at = '-infinity'
	WHERE series_id = $1::int4 AND type = $2::text
	    AND direction = $3::text AND severity = $4::text
	    AND rule_no = $12::int4
	    AND (state = 'open' OR alarm_state <> 'normal')
	    AND alarm_state IN ('returned_unacknowledged', 'latched')
	    AND EXISTS (SELECT FROM opened))
SELECT id, false FROM held UNION ALL SELECT id, fresh FROM opened
