-- How a zone is judged jointly. $1 code
-- -> body json
SELECT body FROM system_json($1::text) AS body WHERE body IS NOT NULL
