-- -> log rows int8, open anomalies info, warning, critical int8, open plans
-- int8, open breakers int8
SELECT (SELECT count(*) FROM ingest_log), a.info, a.warning, a.critical,
    (SELECT count(*) FROM plans WHERE closed_at IS NULL),
    (SELECT count(*) FROM gateway_breakers WHERE open_until > now())
FROM (SELECT count(*) FILTER (WHERE severity = 'info') AS info,
	count(*) FILTER (WHERE severity = 'warning') AS warning,
	count(*) FILTER (WHERE severity = 'critical') AS critical
    FROM anomalies WHERE state = 'open') a
