-- What the loop is told and what it last said.
-- -> body json
SELECT loop_json(l) AS body FROM loop_status l
