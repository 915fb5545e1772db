-- A refused proposal is about the anomaly, whose number is not that of a plan;
-- and who was not let close an after-review stands in the dossier, too.
CREATE OR REPLACE FUNCTION dossier_audit(p plans, a anomalies)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('id', u.id,
	    'at', audit_at(u.at), 'actor', u.actor, 'role', u.role,
	    'action', u.action, 'outcome', u.outcome, 'detail', u.detail,
	    'prev', encode(u.prev, 'hex'), 'hash', encode(u.hash, 'hex'))
	    ORDER BY u.id), '[]')
	FROM audit u
	WHERE u.at >= a.raised_at - interval '1 s'
	    AND ((u.outcome = 'refused' AND CASE u.action
	        WHEN 'plans_propose' THEN u.target = a.id::text
	        WHEN 'after_reviews_close' THEN u.target IN (
	            SELECT id::text FROM after_reviews WHERE plan_id = p.id)
	        ELSE u.action LIKE 'plans\_%' AND u.target = p.id::text END)
	    OR EXISTS (SELECT FROM json_array_elements(u.changes) c
	        WHERE (c->>'table' IN ('plans', 'plan_approvals')
	            AND c->>'subject' = p.id::text)
	        OR (c->>'table' = 'anomalies'
	            AND c->>'subject' = a.id::text)
	        OR (c->>'table' = 'after_reviews' AND c->>'subject' IN (
	            SELECT id::text FROM after_reviews
	            WHERE plan_id = p.id))
	        OR (c->>'table' = 'commands' AND c->>'subject' IN (
	            SELECT id::text FROM commands
	            WHERE plan_id = p.id))))
$$;
