-- The thresholds of a series. $1 node, $2 metric
-- -> body json, etag text (the series')
SELECT series_thresholds_json(s) AS body, etag(s.change) AS etag
FROM series s
JOIN nodes n ON n.id = s.node_id
JOIN metrics m ON m.id = s.metric_id
WHERE n.code = $1::text AND m.code = $2::text
