-- -> info, warning, critical int8: open anomalies
SELECT count(*) FILTER (WHERE severity = 'info'),
    count(*) FILTER (WHERE severity = 'warning'),
    count(*) FILTER (WHERE severity = 'critical')
FROM anomalies WHERE state = 'open'
