-- One plan with all that led to it and came of it. $1 id
-- -> body json
SELECT plan_detail_json(p) AS body FROM plans p WHERE p.id = $1::bigint
