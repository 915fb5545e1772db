-- The rules of a zone's network file. $1 code
-- -> body json
SELECT body FROM zone_controls_json($1::text) AS body WHERE body IS NOT NULL
