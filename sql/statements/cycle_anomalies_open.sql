-- -> info, warning, critical int8: open anomalies whose alarm nobody and
-- nothing keeps quiet
SELECT count(*) FILTER (WHERE severity = 'info'),
    count(*) FILTER (WHERE severity = 'warning'),
    count(*) FILTER (WHERE severity = 'critical')
FROM anomalies WHERE state = 'open' AND alarm_state NOT IN ('shelved',
    'suppressed_by_design', 'out_of_service')
