-- $1 int8 knowledge_version: open anomalies of retired series, which nothing
-- judges any more, are cleared
WITH moved AS (
	UPDATE anomalies a SET state = 'cleared', cleared_at = now(),
	    turned_at = NULL, due_at = '-infinity'
	FROM series s
	WHERE s.id = a.series_id AND s.retired_at IS NOT NULL
	    AND a.state = 'open'
	RETURNING a.id, s.retired_at)
INSERT INTO transitions (subject, subject_id, row_id, from_state, to_state,
    at, actor, facts, knowledge_version)
SELECT 'anomaly', id, 'A1', 'open', 'cleared', now(), 'loop',
    jsonb_build_object('series_retired_at', rfc3339(retired_at)), $1::int8
FROM moved
