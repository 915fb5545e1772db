-- Events sent to others' HTTPS servers. What is to be sent is a row made in
-- the transaction of the event; a dead letter stays until its event is gone.
CREATE TABLE webhooks (
	id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code        text NOT NULL CONSTRAINT webhooks_code_key UNIQUE,
	name        text NOT NULL DEFAULT '',
	url         text NOT NULL,
	types       text[] NOT NULL, -- kinds and types, as of the stream
	zone_ids    int[], -- NULL: all
	enabled     boolean NOT NULL DEFAULT true,
	created_at  timestamptz NOT NULL DEFAULT now(),
	-- The secret is derived from the service's, id and version.
	secret_version int NOT NULL DEFAULT 0,
	old_secret_until timestamptz,
	change      bigint NOT NULL,
	-- Of what was sent.
	failures    int NOT NULL DEFAULT 0, -- in a row
	held_until  timestamptz NOT NULL DEFAULT '-infinity',
	delivered_at timestamptz,
	last_error  text
);
CREATE TRIGGER webhooks_change BEFORE INSERT OR UPDATE OF url, types, zone_ids,
    enabled, name, secret_version ON webhooks
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

CREATE TABLE webhook_deliveries (
	webhook_id  int NOT NULL REFERENCES webhooks ON DELETE CASCADE,
	event_id    bigint NOT NULL REFERENCES events ON DELETE CASCADE,
	state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending',
	    'delivered', 'dead')),
	since       timestamptz NOT NULL DEFAULT now(), -- its life's begin
	attempts    int NOT NULL DEFAULT 0,
	next_attempt_at timestamptz NOT NULL DEFAULT now(),
	status      int, -- HTTP, of the last answer
	error       text,
	closed_at   timestamptz,
	PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries
	(webhook_id, event_id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_event_idx ON webhook_deliveries (event_id);

CREATE FUNCTION webhook_wants(w webhooks, e events) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT w.enabled AND e.kind <> 'webhook'
	    AND (e.kind = ANY (w.types) OR e.type = ANY (w.types))
	    AND (w.zone_ids IS NULL OR e.kind = 'loop'
	        OR e.zone_id = ANY (w.zone_ids))
$$;

CREATE FUNCTION webhook_queue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO webhook_deliveries (webhook_id, event_id)
	SELECT w.id, NEW.id FROM webhooks w WHERE webhook_wants(w, NEW);
	RETURN NULL;
END $$;
CREATE TRIGGER webhook_queue AFTER INSERT ON events
	FOR EACH ROW EXECUTE FUNCTION webhook_queue();

CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON webhooks
	FOR EACH ROW EXECUTE FUNCTION audit_note('change', 'failures',
	    'held_until', 'delivered_at', 'last_error');
CREATE TRIGGER audit_change AFTER UPDATE ON webhooks
	FOR EACH ROW WHEN (NEW.change <> OLD.change)
	EXECUTE FUNCTION audit_note('change', 'failures', 'held_until',
	    'delivered_at', 'last_error');
CREATE TRIGGER audit_change AFTER UPDATE ON webhook_deliveries
	FOR EACH ROW WHEN (NEW.state = 'pending' AND OLD.state <> 'pending')
	EXECUTE FUNCTION audit_note();

-- For people

CREATE FUNCTION webhook_json(w webhooks) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_build_object('code', w.code, 'name', w.name, 'url', w.url,
	    'types', w.types, 'zones', (SELECT json_agg(code ORDER BY code)
	        FROM zones WHERE id = ANY (w.zone_ids)),
	    'enabled', w.enabled, 'created_at', rfc3339(w.created_at),
	    'secret_version', w.secret_version,
	    'old_secret_until', CASE WHEN w.old_secret_until > now()
	        THEN rfc3339(w.old_secret_until) END,
	    'failures_in_a_row', w.failures,
	    'held_until', CASE WHEN w.held_until > now()
	        THEN rfc3339(w.held_until) END,
	    'delivered_at', rfc3339(w.delivered_at),
	    'last_error', w.last_error);
END $$;

CREATE FUNCTION webhook_merge(w webhooks, body jsonb) RETURNS webhooks
LANGUAGE plpgsql STABLE AS $$
DECLARE
	unknown text;
BEGIN
	w.name := coalesce(body->>'name', w.name, '');
	w.url := coalesce(body->>'url', w.url);
	w.enabled := coalesce((body->>'enabled')::boolean, w.enabled, true);
	IF w.url !~ '^https?://[^/?#@\s]+(/[^#\s]*)?$' THEN
		PERFORM refuse(422, 'a url begins with https:// (or http://, '
		    'where a setting allows it) and has neither user nor '
		    'fragment', '/url');
	END IF;
	IF jsonb_typeof(body->'types') = 'array' THEN
		w.types := ARRAY(SELECT DISTINCT jsonb_array_elements_text(
		    body->'types') ORDER BY 1);
	END IF;
	SELECT t INTO unknown FROM unnest(w.types) t WHERE t !~
	    '^(anomaly|alarm|plan|command|loop)([.][a-z_]{1,40})?$' LIMIT 1;
	IF unknown IS NOT NULL OR w.types = '{}' THEN
		PERFORM refuse(422, 'types are kinds (anomaly, alarm, plan, '
		    'command, loop) or types (plan.proposed), at least one', '/types');
	END IF;
	IF body ? 'zones' THEN
		w.zone_ids := NULL;
	END IF;
	IF jsonb_typeof(body->'zones') = 'array' THEN
		SELECT coalesce(array_agg(z.id ORDER BY z.id), '{}'),
		    min(c) FILTER (WHERE z.id IS NULL)
		INTO w.zone_ids, unknown
		FROM jsonb_array_elements_text(body->'zones') c
		    LEFT JOIN zones z ON z.code = c;
		IF unknown IS NOT NULL THEN
			PERFORM refuse(422, format('there is no zone %s',
			    unknown), '/zones');
		END IF;
	END IF;
	RETURN w;
END $$;

-- Events refer to webhooks while they hold the lock of the chain, which other
-- changes take last: here it goes before the rows, and a webhook's row goes
-- before those of its deliveries.
CREATE FUNCTION webhook_begin() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change_begin(), pg_advisory_xact_lock(7305804408);
END $$;

-- With id and version, of which the secret is made.
CREATE FUNCTION webhook_create(body jsonb, OUT doc json, OUT etag text,
    OUT location text, OUT id int, OUT version int) LANGUAGE plpgsql AS $$
DECLARE
	w webhooks;
BEGIN
	PERFORM webhook_begin(), check_code(body->>'code');
	w := webhook_merge(NULL, body);
	INSERT INTO webhooks (code, name, url, types, zone_ids, enabled)
	VALUES (body->>'code', w.name, w.url, w.types, w.zone_ids, w.enabled)
	ON CONFLICT (code) DO NOTHING RETURNING * INTO w;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('webhook %s exists already',
		    body->>'code'), '/code');
	END IF;
	doc := webhook_json(w);
	etag := etag(w.change);
	location := '/api/v1/webhooks/' || w.code;
	id := w.id;
	version := w.secret_version;
END $$;

CREATE FUNCTION webhook_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	w webhooks;
BEGIN
	PERFORM webhook_begin();
	SELECT * INTO w FROM webhooks WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no webhook %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(w.change));
	w := webhook_merge(w, body);
	UPDATE webhooks u SET name = w.name, url = w.url, types = w.types,
	    zone_ids = w.zone_ids, enabled = w.enabled, failures = 0,
	    held_until = '-infinity'
	WHERE u.id = w.id RETURNING * INTO w;
	RETURN ROW(webhook_json(w), etag(w.change), NULL)::answer;
END $$;

-- The old secret signs as well for a while.
CREATE FUNCTION webhook_turn(wanted text, overlap_s float8, OUT doc json,
    OUT etag text, OUT location text, OUT id int, OUT version int)
LANGUAGE plpgsql AS $$
DECLARE
	w webhooks;
BEGIN
	PERFORM webhook_begin();
	UPDATE webhooks u SET secret_version = u.secret_version + 1,
	    old_secret_until = now() + coalesce(overlap_s, 86400)
	        * interval '1 s'
	WHERE u.code = wanted RETURNING * INTO w;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no webhook %s', wanted));
	END IF;
	doc := webhook_json(w);
	etag := etag(w.change);
	id := w.id;
	version := w.secret_version;
END $$;

CREATE FUNCTION webhook_delete(wanted text) RETURNS SETOF answer
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM webhook_begin();
	DELETE FROM webhooks WHERE code = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no webhook %s', wanted));
	END IF;
	RETURN NEXT ROW(NULL, NULL, NULL)::answer;
END $$;

CREATE FUNCTION delivery_json(d webhook_deliveries) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('event', d.event_id, 'type', e.type,
	    'at', rfc3339(e.at), 'state', d.state, 'attempts', d.attempts,
	    'next_attempt_at', CASE WHEN d.state = 'pending'
	        THEN rfc3339(d.next_attempt_at) END,
	    'status', d.status, 'error', d.error,
	    'closed_at', rfc3339(d.closed_at))
	FROM events e WHERE e.id = d.event_id);
END $$;

CREATE FUNCTION delivery_again(wanted text, event bigint) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	d webhook_deliveries;
BEGIN
	PERFORM webhook_begin();
	SELECT x.* INTO d FROM webhook_deliveries x
	    JOIN webhooks w ON w.id = x.webhook_id
	WHERE w.code = wanted AND x.event_id = event FOR UPDATE OF x;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('webhook %s has no event %s to '
		    'deliver', wanted, event));
	END IF;
	IF d.state = 'pending' THEN
		PERFORM refuse(409, format('event %s is under way', event));
	END IF;
	UPDATE webhook_deliveries x SET state = 'pending', since = now(),
	    next_attempt_at = now(), closed_at = NULL, attempts = 0
	WHERE x.webhook_id = d.webhook_id AND x.event_id = event
	RETURNING * INTO d;
	RETURN ROW(delivery_json(d), NULL, NULL)::answer;
END $$;

-- For who delivers

-- What is due, for hooks that nothing is under way to: a few each, one if the
-- last one failed. It is his for `lease_s`; then it is due again.
CREATE FUNCTION deliveries_claim(most int, busy int[], lease_s float8)
RETURNS TABLE (webhook int, event bigint, attempt int, url text, type text,
    body text, version int, old_too boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH due AS (
		SELECT p.webhook_id, p.event_id
		FROM webhooks w, LATERAL (
			SELECT x.webhook_id, x.event_id
			FROM webhook_deliveries x
			WHERE x.webhook_id = w.id AND x.state = 'pending'
			    AND x.next_attempt_at <= now()
			ORDER BY x.event_id
			LIMIT CASE WHEN w.failures > 0 THEN 1 ELSE 4 END
			FOR UPDATE SKIP LOCKED) p
		WHERE w.enabled AND w.held_until <= now() AND w.id <> ALL (busy)
		LIMIT most
	), taken AS (
		UPDATE webhook_deliveries d SET attempts = d.attempts + 1,
		    next_attempt_at = now() + lease_s * interval '1 s'
		FROM due WHERE d.webhook_id = due.webhook_id
		    AND d.event_id = due.event_id
		RETURNING d.*
	)
	SELECT w.id, e.id, d.attempts, w.url, e.type, e.body,
	    w.secret_version, w.secret_version > 0
	    AND coalesce(w.old_secret_until > now(), false)
	FROM taken d JOIN webhooks w ON w.id = d.webhook_id
	    JOIN events e ON e.id = d.event_id
	ORDER BY e.id
$$;

-- What came of an attempt; `answered`: an HTTP status, or NULL. Waits grow
-- with each failure and are drawn from all of that time, so that those who
-- failed together do not come back together.
CREATE FUNCTION delivery_settle(hook int, event bigint, attempt int,
    delivered boolean, answered int, why text, life_s float8) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	d webhook_deliveries;
BEGIN
	IF NOT delivered THEN -- it may become an event
		PERFORM pg_advisory_xact_lock(7305804408);
	END IF;
	PERFORM FROM webhooks w WHERE w.id = hook FOR NO KEY UPDATE;
	UPDATE webhook_deliveries x SET status = answered, error = why,
	    state = CASE WHEN delivered THEN 'delivered'
	        WHEN x.since <= now() - life_s * interval '1 s' THEN 'dead'
	        ELSE 'pending' END,
	    closed_at = CASE WHEN delivered
	        OR x.since <= now() - life_s * interval '1 s' THEN now() END,
	    next_attempt_at = now() + random()
	        * least(3600, 2 ^ least(x.attempts, 12)) * interval '1 s'
	WHERE x.webhook_id = hook AND x.event_id = event
	    AND x.state = 'pending' AND x.attempts = attempt
	RETURNING * INTO d;
	IF NOT FOUND THEN
		RETURN; -- another's by now, or taken away
	END IF;
	UPDATE webhooks w SET
	    failures = CASE WHEN delivered THEN 0 ELSE w.failures + 1 END,
	    held_until = CASE WHEN delivered THEN '-infinity' ELSE now()
	        + random() * least(60, 2 ^ least(w.failures, 6))
	        * interval '1 s' END,
	    delivered_at = CASE WHEN delivered THEN now()
	        ELSE w.delivered_at END,
	    last_error = CASE WHEN delivered THEN NULL ELSE why END
	WHERE w.id = hook;
	IF d.state = 'dead' THEN
		PERFORM event_add('webhook', 'dead', NULL, (SELECT
		    json_build_object('code', w.code, 'event', d.event_id,
		    'type', e.type, 'attempts', d.attempts, 'error', why)
		    FROM webhooks w, events e
		    WHERE w.id = hook AND e.id = d.event_id));
	END IF;
END $$;

REVOKE INSERT, DELETE ON webhook_deliveries FROM penstock_serve;
REVOKE ALL ON FUNCTION deliveries_claim(int, int[], float8),
    delivery_settle(int, bigint, int, boolean, int, text, float8)
    FROM penstock_archive;
