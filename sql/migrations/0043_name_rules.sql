-- As before, and rules by their code, versions by it and their number.
CREATE OR REPLACE FUNCTION audit_subject(source text, r jsonb,
    OUT subject text, OUT nodes text[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
	wanted int := r->>'series_id';
BEGIN
	nodes := '{}';
	CASE source
	WHEN 'users' THEN
		subject := r->>'username';
	WHEN 'nodes' THEN
		subject := r->>'code';
		nodes := ARRAY[subject];
	WHEN 'links' THEN
		subject := r->>'code';
		nodes := ARRAY(SELECT code FROM public.nodes n
		    WHERE n.id IN ((r->>'from_node')::int,
		    (r->>'to_node')::int) ORDER BY code);
	WHEN 'rules' THEN
		subject := r->>'code';
	WHEN 'rule_versions' THEN
		SELECT code || '@' || (r->>'version') INTO subject
		FROM rules WHERE id = (r->>'rule_id')::int;
	WHEN 'zones', 'gateways', 'plan_templates', 'metrics', 'webhooks' THEN
		subject := r->>'code';
	WHEN 'template_actions' THEN
		SELECT code || ' step ' || (r->>'step') INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'webhook_deliveries' THEN
		SELECT code || '/' || (r->>'event_id') INTO subject
		FROM webhooks WHERE id = (r->>'webhook_id')::int;
	WHEN 'hands_off' THEN
		subject := coalesce((SELECT code FROM zones
		    WHERE id = (r->>'zone_id')::int), 'everywhere');
	WHEN 'alarm_holds' THEN
		subject := r->>'id';
		nodes := ARRAY(SELECT code FROM public.nodes n
		    WHERE n.id = (r->>'node_id')::int);
	WHEN 'sessions' THEN
		SELECT username INTO subject FROM users
		WHERE id = (r->>'user_id')::int;
	WHEN 'archives' THEN
		SELECT code || ' ' || left(r->>'from_ts', 7) INTO subject
		FROM retention_classes WHERE id = (r->>'class')::int2;
	WHEN 'series' THEN
		wanted := r->>'id';
	WHEN 'template_guards' THEN
		SELECT code || ' guard ' || (r->>'name') INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'template_figures' THEN
		SELECT code INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'plans', 'commands', 'plan_approvals' THEN
		subject := r->>(CASE source WHEN 'plan_approvals'
		    THEN 'plan_id' ELSE 'id' END);
		SELECT a.series_id INTO wanted FROM plans p
		    JOIN anomalies a ON a.id = p.anomaly_id
		WHERE p.id = (CASE source WHEN 'plans' THEN r->>'id'
		    ELSE r->>'plan_id' END)::bigint;
	WHEN 'loop_status' THEN
		subject := 'loop';
	ELSE
		subject := r->>'id';
	END CASE;
	IF wanted IS NOT NULL THEN
		SELECT CASE WHEN source IN ('series', 'thresholds')
		    THEN n.code || '/' || m.code ELSE subject END,
		    ARRAY[n.code] INTO subject, nodes
		FROM series s JOIN public.nodes n ON n.id = s.node_id
		    JOIN metrics m ON m.id = s.metric_id
		WHERE s.id = wanted;
	END IF;
END $$;
