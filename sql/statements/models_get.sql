-- One model. $1 id
-- -> body json; no row if there is no such model
SELECT model_json(m) AS body FROM models m WHERE m.id = $1::bigint
