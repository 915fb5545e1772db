-- A plan template's figures of success, accepted and proposed. $1 code
-- -> body json
SELECT template_figures_json(t) AS body FROM plan_templates t
WHERE t.code = $1::text
