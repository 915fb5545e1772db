-- A trigger without arguments has no TG_ARGV, and what is taken off by NULL is
-- NULL before and after: that an event is sent once more left no row of audit.
CREATE OR REPLACE FUNCTION audit_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	hidden text[] := coalesce(TG_ARGV, '{}');
	before jsonb := to_jsonb(OLD) - hidden;
	after jsonb := to_jsonb(NEW) - hidden;
BEGIN
	IF before IS DISTINCT FROM after THEN
		PERFORM audit_add(TG_TABLE_NAME, lower(TG_OP), before, after);
	END IF;
	RETURN NULL;
END $$;

-- As before, and webhooks by their code, hands-off switches by their zone, and
-- alarm holds among what is about their node.
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
	WHEN 'plans', 'commands' THEN
		subject := r->>'id';
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
