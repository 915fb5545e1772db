-- One command with its moves. $1 id
-- -> body json
SELECT command_detail_json(c) AS body FROM commands c WHERE c.id = $1::bigint
