-- Who listens hears when somebody changes what raises alarms: thresholds, what
-- a series is watched for, live rules, alarm classes, spans of quiet.

-- Once per subject and transaction, and 16 subjects of it; then once more
-- without a subject. Thresholds of a series that is younger than an hour are
-- its setting up; from there on a new one is a change.
CREATE FUNCTION event_rule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	most CONSTANT int := 16;
	was jsonb := to_jsonb(OLD);
	now_is jsonb := to_jsonb(NEW);
	r jsonb := coalesce(to_jsonb(NEW), to_jsonb(OLD));
	about text := (audit_subject(TG_TABLE_NAME, r)).subject;
	told text[] := coalesce(nullif(current_setting('penstock.rules_told',
	    true), ''), '{}');
	key text := TG_TABLE_NAME || ' ' || about;
	zone int;
BEGIN
	IF key = ANY (told) OR cardinality(told) > most OR (TG_OP = 'INSERT'
	    AND TG_TABLE_NAME = 'thresholds' AND EXISTS (SELECT FROM series s
	    WHERE s.id = (r->>'series_id')::int
	    AND s.created_at > now() - interval '1 h')) THEN
		RETURN NULL;
	END IF;
	PERFORM set_config('penstock.rules_told', (told || key)::text, true);
	IF cardinality(told) = most THEN
		PERFORM event_add('rule', 'changed', NULL, json_build_object(
		    'table', TG_TABLE_NAME, 'subject', NULL, 'from', NULL,
		    'to', NULL));
		RETURN NULL;
	END IF;
	zone := CASE TG_TABLE_NAME
	    WHEN 'alarm_holds' THEN alarm_hold_zone(jsonb_populate_record(
	        NULL::alarm_holds, r))
	    WHEN 'series' THEN series_zone((r->>'id')::int)
	    WHEN 'thresholds' THEN series_zone((r->>'series_id')::int) END;
	PERFORM event_add('rule', 'changed', zone, json_build_object(
	    'table', TG_TABLE_NAME, 'subject', about,
	    'from', CASE WHEN was->>'mode' = 'live'
	        THEN (was->>'version')::int END,
	    'to', CASE WHEN now_is->>'mode' = 'live'
	        THEN (now_is->>'version')::int END));
	RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER event_put AFTER INSERT OR DELETE ON thresholds
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION event_rule();
CREATE CONSTRAINT TRIGGER event_changed AFTER UPDATE ON thresholds
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN ((NEW.direction, NEW.severity, NEW.set_level, NEW.clear_level,
	    NEW.on_delay_s, NEW.off_delay_s) IS DISTINCT FROM (OLD.direction,
	    OLD.severity, OLD.set_level, OLD.clear_level, OLD.on_delay_s,
	    OLD.off_delay_s))
	EXECUTE FUNCTION event_rule();

CREATE CONSTRAINT TRIGGER event_changed AFTER UPDATE ON series
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN ((NEW.cadence_s, NEW.silence_s, NEW.max_rate_per_min,
	    NEW.flatline_s, NEW.outlier_k, NEW.retired_at) IS DISTINCT FROM (
	    OLD.cadence_s, OLD.silence_s, OLD.max_rate_per_min,
	    OLD.flatline_s, OLD.outlier_k, OLD.retired_at))
	EXECUTE FUNCTION event_rule();

-- What is in shadow raises nothing.
CREATE CONSTRAINT TRIGGER event_put AFTER INSERT ON rules
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.mode = 'live') EXECUTE FUNCTION event_rule();
CREATE CONSTRAINT TRIGGER event_changed AFTER UPDATE ON rules
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN ('live' IN (NEW.mode, OLD.mode) AND (NEW.mode <> OLD.mode
	    OR NEW.version <> OLD.version)) EXECUTE FUNCTION event_rule();
CREATE CONSTRAINT TRIGGER event_removed AFTER DELETE ON rules
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (OLD.mode = 'live') EXECUTE FUNCTION event_rule();

CREATE CONSTRAINT TRIGGER event_changed AFTER UPDATE ON alarm_classes
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.change <> OLD.change) EXECUTE FUNCTION event_rule();

-- The loop ends what was set to a time.
CREATE CONSTRAINT TRIGGER event_put AFTER INSERT ON alarm_holds
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	EXECUTE FUNCTION event_rule();
CREATE CONSTRAINT TRIGGER event_ended AFTER UPDATE ON alarm_holds
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
	    AND NEW.ended_by <> 'loop') EXECUTE FUNCTION event_rule();

-- Webhooks: as before, and rules, which are told whatever the zone.

CREATE OR REPLACE FUNCTION webhook_wants(w webhooks, e events)
RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT w.enabled AND e.kind <> 'webhook'
	    AND (e.kind = ANY (w.types) OR e.type = ANY (w.types))
	    AND (w.zone_ids IS NULL OR e.kind IN ('loop', 'rule')
	        OR e.zone_id = ANY (w.zone_ids))
$$;

CREATE OR REPLACE FUNCTION webhook_merge(w webhooks, body jsonb)
RETURNS webhooks LANGUAGE plpgsql STABLE AS $$
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
	    '^(anomaly|alarm|plan|command|loop|rule)([.][a-z_]{1,40})?$' LIMIT 1;
	IF unknown IS NOT NULL OR w.types = '{}' THEN
		PERFORM refuse(422, 'types are kinds (anomaly, alarm, plan, '
		    'command, loop, rule) or types (plan.proposed), at least '
		    'one', '/types');
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
