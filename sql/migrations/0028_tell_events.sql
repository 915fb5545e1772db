-- What happened, for whoever wants to hear of it at once: one row per change
-- of state of an anomaly, plan, command or of the loop, written by deferred
-- triggers in the transaction that changes it: there is neither a change
-- without its event nor an event without its change.
--
-- Ids grow in the order in which transactions become visible: they are drawn
-- as the last act of a transaction, under the lock that the chain of audit
-- also takes, which is held until the commit can be seen. So who has seen
-- event n has seen all below n, and who resumes behind n misses none. Ids
-- have holes.
CREATE TABLE events (
	id      bigint PRIMARY KEY,
	at      timestamptz NOT NULL,
	kind    text NOT NULL, -- anomaly, plan, command, loop, ...
	type    text NOT NULL, -- kind.what
	zone_id int, -- NULL: in none
	body    text NOT NULL -- an object of JSON in one line, as it is sent
);
CREATE SEQUENCE event_seq OWNED BY events.id;

-- One row: events up to that id are gone.
CREATE TABLE event_state (
	one    boolean PRIMARY KEY DEFAULT true CHECK (one),
	pruned bigint NOT NULL DEFAULT 0
);
INSERT INTO event_state DEFAULT VALUES;

-- `about` is the subject as it is now, a member named as the kind is.
CREATE FUNCTION event_add(kind text, what text, zone int, about json)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	o jsonb := nullif(current_setting('penstock.origin', true), '');
	n bigint;
	t timestamptz;
BEGIN
	PERFORM pg_advisory_xact_lock(7305804408);
	n := nextval('event_seq');
	t := clock_timestamp();
	INSERT INTO events VALUES (n, t, kind, kind || '.' || what, zone,
	    translate(json_build_object('id', n, 'type', kind || '.' || what,
	    'at', rfc3339(t),
	    'zone', (SELECT code FROM zones z WHERE z.id = zone),
	    'actor', coalesce(o->>'actor', 'db:' || session_user),
	    'request_id', o->>'request_id', kind, about)::text,
	    E'\r\n', '  '));
	PERFORM pg_notify('penstock_change', 'events');
END $$;

CREATE FUNCTION event_anomaly() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('anomaly', CASE WHEN TG_OP = 'UPDATE'
	    AND NEW.state = OLD.state THEN 'acknowledged' ELSE NEW.state END,
	    series_zone(NEW.series_id), anomaly_json(NEW));
	RETURN NULL;
END $$;

CREATE FUNCTION event_plan() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('plan', NEW.state, series_zone(a.series_id),
	    plan_json(NEW)) FROM anomalies a WHERE a.id = NEW.anomaly_id;
	RETURN NULL;
END $$;

CREATE FUNCTION event_command() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('command', NEW.state, series_zone(a.series_id),
	    json_build_object('id', NEW.id, 'plan', NEW.plan_id,
	    'step', NEW.step, 'state', NEW.state, 'link', l.code,
	    'gateway', g.code, 'action', NEW.action,
	    'argument', NEW.argument, 'attempts', NEW.attempts,
	    'last_error', NEW.last_error, 'not_after', rfc3339(NEW.not_after)))
	FROM plans p JOIN anomalies a ON a.id = p.anomaly_id, links l,
	    gateways g
	WHERE p.id = NEW.plan_id AND l.id = NEW.link_id
	    AND g.id = NEW.gateway_id;
	RETURN NULL;
END $$;

CREATE FUNCTION event_loop() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('loop', w, NULL, json_build_object(
	    'paused', NEW.paused, 'paused_by', NEW.paused_by,
	    'system_state', NEW.system_state))
	FROM unnest(ARRAY[CASE WHEN NEW.paused = OLD.paused THEN NULL
	    WHEN NEW.paused THEN 'paused' ELSE 'resumed' END,
	    CASE WHEN NEW.system_state <> OLD.system_state
	    THEN NEW.system_state END]) w WHERE w IS NOT NULL;
	RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER event_raised AFTER INSERT ON anomalies
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION event_anomaly();
CREATE CONSTRAINT TRIGGER event_moved AFTER UPDATE ON anomalies
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.state <> OLD.state
	    OR NEW.acked_at IS DISTINCT FROM OLD.acked_at)
	EXECUTE FUNCTION event_anomaly();
CREATE CONSTRAINT TRIGGER event_proposed AFTER INSERT ON plans
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION event_plan();
CREATE CONSTRAINT TRIGGER event_moved AFTER UPDATE ON plans
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.state <> OLD.state)
	EXECUTE FUNCTION event_plan();
CREATE CONSTRAINT TRIGGER event_moved AFTER UPDATE ON commands
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.state <> OLD.state)
	EXECUTE FUNCTION event_command();
CREATE CONSTRAINT TRIGGER event_moved AFTER UPDATE ON loop_status
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.paused <> OLD.paused
	    OR NEW.system_state <> OLD.system_state)
	EXECUTE FUNCTION event_loop();

-- Where a listener begins who has heard nothing yet, and which zones he means:
-- those of `codes` (with commas), all of them for '*', and without it those
-- that he may act in, or all if he is bound by none.
CREATE FUNCTION events_begin(who text, codes text, OUT newest bigint,
    OUT zones text) LANGUAGE plpgsql STABLE AS $$
DECLARE
	unknown text;
BEGIN
	SELECT greatest((SELECT max(id) FROM events), s.pruned) INTO newest
	FROM event_state s;
	IF codes IS NULL THEN
		SELECT array_to_string(zone_ids, ',') INTO zones FROM users
		WHERE username = who;
	ELSIF codes <> '*' THEN
		SELECT string_agg(z.id::text, ','), min(w) FILTER (
		    WHERE z.id IS NULL) INTO zones, unknown
		FROM unnest(string_to_array(codes, ',')) w
		    LEFT JOIN zones z ON z.code = w;
		IF unknown IS NOT NULL THEN
			PERFORM refuse(422, format('there is no zone %s',
			    unknown));
		END IF;
	END IF;
END $$;

-- Removes what is older than `keep`, and the oldest beyond `most`; some of it
-- at a time. True: there may be more.
CREATE FUNCTION events_prune(keep interval, most bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	batch CONSTANT int := 5000;
	last bigint;
	n bigint;
BEGIN
	IF NOT pg_try_advisory_xact_lock(7305804410) THEN
		RETURN false;
	END IF;
	SELECT max(f.id) INTO last FROM (SELECT e.id, e.at FROM events e
	    ORDER BY e.id LIMIT batch) f
	WHERE f.at < now() - keep
	    OR f.id <= (SELECT max(e.id) FROM events e) - most;
	DELETE FROM events WHERE id <= last;
	GET DIAGNOSTICS n = ROW_COUNT;
	UPDATE event_state SET pruned = last WHERE pruned < last;
	RETURN n >= batch;
END $$;

-- Who serves tells what he did by doing it.
REVOKE INSERT, UPDATE, DELETE ON events, event_state FROM penstock_serve;
REVOKE ALL ON SEQUENCE event_seq FROM penstock_serve;
REVOKE ALL ON FUNCTION event_add(text, text, int, json) FROM penstock_serve,
    penstock_archive;
REVOKE ALL ON FUNCTION events_prune(interval, bigint) FROM penstock_archive;
