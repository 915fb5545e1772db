-- What is due, as before; of those whose last delivery failed no more than
-- `ailing` at once, who was held longest first, so that many dead ones do not
-- hold every place. (An instance of before calls the one of three arguments.)
CREATE FUNCTION deliveries_claim(most int, ailing int, busy int[],
    lease_s float8)
RETURNS TABLE (webhook int, event bigint, attempt int, url text, type text,
    body text, version int, old_too boolean, is_ailing boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH ill AS (
		SELECT p.webhook_id, p.event_id
		FROM webhooks w, LATERAL (
			SELECT x.webhook_id, x.event_id
			FROM webhook_deliveries x
			WHERE x.webhook_id = w.id AND x.state = 'pending'
			    AND x.next_attempt_at <= now()
			ORDER BY x.event_id LIMIT 1 FOR UPDATE SKIP LOCKED) p
		WHERE w.failures > 0 AND w.enabled AND w.held_until <= now()
		    AND w.id <> ALL (busy)
		ORDER BY w.held_until LIMIT least(most, ailing)
	), well AS (
		SELECT p.webhook_id, p.event_id
		FROM webhooks w, LATERAL (
			SELECT x.webhook_id, x.event_id
			FROM webhook_deliveries x
			WHERE x.webhook_id = w.id AND x.state = 'pending'
			    AND x.next_attempt_at <= now()
			ORDER BY x.event_id LIMIT 4 FOR UPDATE SKIP LOCKED) p
		WHERE w.failures = 0 AND w.enabled AND w.held_until <= now()
		    AND w.id <> ALL (busy)
		LIMIT most - (SELECT count(*) FROM ill)
	), taken AS (
		UPDATE webhook_deliveries d SET attempts = d.attempts + 1,
		    next_attempt_at = now() + lease_s * interval '1 s'
		FROM (SELECT *, true AS is_ill FROM ill
		    UNION ALL SELECT *, false FROM well) due
		WHERE d.webhook_id = due.webhook_id
		    AND d.event_id = due.event_id
		RETURNING d.*, due.is_ill
	)
	SELECT w.id, e.id, d.attempts, w.url, e.type, e.body,
	    w.secret_version, w.secret_version > 0
	    AND coalesce(w.old_secret_until > now(), false), d.is_ill
	FROM taken d JOIN webhooks w ON w.id = d.webhook_id
	    JOIN events e ON e.id = d.event_id
	ORDER BY e.id
$$;
REVOKE ALL ON FUNCTION deliveries_claim(int, int, int[], float8)
    FROM penstock_archive;
