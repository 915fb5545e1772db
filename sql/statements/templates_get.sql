-- One plan template. $1 code
-- -> body json, etag text
SELECT template_json(t) AS body, etag(t.change) AS etag
FROM plan_templates t WHERE t.code = $1::text
