-- One anomaly with evidence, moves and plans. $1 id
-- -> body json
SELECT anomaly_detail_json(a) AS body
FROM anomalies a WHERE a.id = $1::bigint
