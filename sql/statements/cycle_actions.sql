-- -> template_id, step int4, action, target_type, target_relation, argument
-- text, repeatable bool, in the order of cycle_templates
SELECT a.template_id, a.step, a.action, a.target_type, a.target_relation,
    a.argument::text, a.repeatable
FROM template_actions a
JOIN plan_templates t ON t.id = a.template_id
WHERE t.enabled AND NOT a.undo
ORDER BY t.priority, t.id, a.step, a.n
