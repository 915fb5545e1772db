-- -> log rows int8, open anomalies info, warning, critical int8, open breakers
-- int8, alarms nobody acknowledged, of them or acknowledged ones those that
-- stand so for a day, alarms raised within 10 minutes int8 (more than 10 are a
-- flood), open after-reviews int8, plans by state int8 in the order of enum
-- plan_state
SELECT (SELECT count(*) FROM ingest_log), a.info, a.warning, a.critical,
    (SELECT count(*) FROM gateway_breakers WHERE open_until > now()),
    a.unacknowledged, a.stale,
    (SELECT count(*) FROM transitions WHERE subject = 'alarm'
	AND at > now() - interval '10 min' AND to_state = 'unacknowledged'
	AND from_state <> 'unacknowledged'),
    (SELECT count(*) FROM after_reviews WHERE closed_at IS NULL), p.*
FROM (SELECT count(*) FILTER (WHERE state = 'open'
	    AND severity = 'info') AS info,
	count(*) FILTER (WHERE state = 'open'
	    AND severity = 'warning') AS warning,
	count(*) FILTER (WHERE state = 'open'
	    AND severity = 'critical') AS critical,
	count(*) FILTER (WHERE alarm_state IN ('unacknowledged',
	    'returned_unacknowledged')) AS unacknowledged,
	count(*) FILTER (WHERE alarm_state IN ('unacknowledged',
	    'returned_unacknowledged', 'acknowledged')
	    AND alarm_at < now() - interval '1 day') AS stale
    FROM anomalies WHERE state = 'open' OR alarm_state <> 'normal') a,
    (SELECT count(*) FILTER (WHERE state = 'proposed'),
	count(*) FILTER (WHERE state = 'approved'),
	count(*) FILTER (WHERE state = 'executing'),
	count(*) FILTER (WHERE state = 'verifying'),
	count(*) FILTER (WHERE state = 'worked'),
	count(*) FILTER (WHERE state = 'no_effect'),
	count(*) FILTER (WHERE state = 'worse'),
	count(*) FILTER (WHERE state = 'not_provable'),
	count(*) FILTER (WHERE state = 'rejected'),
	count(*) FILTER (WHERE state = 'expired'),
	count(*) FILTER (WHERE state = 'failed'),
	count(*) FILTER (WHERE state = 'superseded'),
	count(*) FILTER (WHERE state = 'cancelled'),
	count(*) FILTER (WHERE state = 'undone')
    FROM plans) p
