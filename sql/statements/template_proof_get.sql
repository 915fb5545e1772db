-- How the effect of a template's plans is proved. $1 code
-- -> body json, etag text
SELECT template_proof_json(t) AS body, etag(t.change) AS etag
FROM plan_templates t WHERE t.code = $1::text
