-- -> log rows int8, open anomalies info, warning, critical int8, open breakers
-- int8, plans by state int8 in the order of enum plan_state
SELECT (SELECT count(*) FROM ingest_log), a.info, a.warning, a.critical,
    (SELECT count(*) FROM gateway_breakers WHERE open_until > now()), p.*
FROM (SELECT count(*) FILTER (WHERE severity = 'info') AS info,
	count(*) FILTER (WHERE severity = 'warning') AS warning,
	count(*) FILTER (WHERE severity = 'critical') AS critical
    FROM anomalies WHERE state = 'open') a,
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
	count(*) FILTER (WHERE state = 'failed')
    FROM plans) p
