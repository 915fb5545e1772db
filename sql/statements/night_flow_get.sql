-- Night flows of the areas of a zone. $1 code
-- -> body json
SELECT body FROM night_flow_json($1::text) AS body WHERE body IS NOT NULL
