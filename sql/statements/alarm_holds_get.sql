-- One span of quiet. $1 id
-- -> body json
SELECT alarm_hold_json(h) AS body FROM alarm_holds h WHERE h.id = $1::bigint
