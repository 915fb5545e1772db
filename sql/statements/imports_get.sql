-- One import with its progress. $1 id
-- -> body json
SELECT import_json(i) AS body FROM imports i WHERE id = $1::bigint
