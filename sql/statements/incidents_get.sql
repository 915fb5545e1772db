-- One incident with its alarms, the likely root first. $1 id
-- -> body json
SELECT incident_detail_json(i) AS body FROM incidents i WHERE i.id = $1::bigint
