-- One anomaly with evidence, moves and plans. $1 id
-- -> body json, etag text
SELECT anomaly_detail_json(a) AS body, etag(a.version) AS etag
FROM anomalies a WHERE a.id = $1::bigint
