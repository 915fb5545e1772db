-- An operator with zones acts within them alone. What is checked is the row
-- that says who acted, so that no way of writing it is forgotten. Names that
-- users does not know (of a foreign identity provider) are bound by none.

-- zones: of all that is acted on; NULL in it: a node without a zone, which
-- only those may touch who are bound by no zone.
CREATE FUNCTION check_zones(who text, what text, zones int[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	u users;
BEGIN
	SELECT * INTO u FROM users WHERE username = who;
	IF u.disabled_at IS NOT NULL THEN
		PERFORM refuse(403, format('user %s is disabled', who));
	END IF;
	IF u.zone_ids IS NOT NULL AND NOT zones <@ u.zone_ids THEN
		PERFORM refuse(403, format('%s is not within the zones of %s: %s',
		    what, who, coalesce((SELECT string_agg(code, ', '
		    ORDER BY code) FROM zones
		    WHERE id = ANY (u.zone_ids)), 'none')));
	END IF;
END $$;

CREATE FUNCTION series_zone(wanted int) RETURNS int LANGUAGE sql STABLE AS $$
	SELECT n.zone_id FROM series s JOIN nodes n ON n.id = s.node_id
	WHERE s.id = wanted
$$;

CREATE FUNCTION check_anomaly_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM check_zones(NEW.acked_by, format('anomaly %s', NEW.id),
	    ARRAY[series_zone(NEW.series_id)]);
	RETURN NEW;
END $$;
CREATE TRIGGER anomalies_zone BEFORE UPDATE OF acked_by ON anomalies
	FOR EACH ROW WHEN (NEW.acked_by IS DISTINCT FROM OLD.acked_by)
	EXECUTE FUNCTION check_anomaly_zone();

-- The anomaly's zone, and those that the links lead into which it would move:
-- a node may have changed its zone since the plan was proposed.
CREATE FUNCTION check_plan_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM check_zones(NEW.decided_by, format('plan %s', NEW.id),
	    ARRAY(SELECT series_zone(a.series_id) FROM anomalies a
	        WHERE a.id = NEW.anomaly_id
	    UNION SELECT n.zone_id FROM commands c
	        JOIN links l ON l.id = c.link_id
	        JOIN nodes n ON n.id = l.to_node
	        WHERE c.plan_id = NEW.id));
	RETURN NEW;
END $$;
CREATE TRIGGER plans_zone BEFORE UPDATE OF decided_by ON plans
	FOR EACH ROW WHEN (NEW.decided_by IS DISTINCT FROM OLD.decided_by)
	EXECUTE FUNCTION check_plan_zone();

-- Whoever raises a flag again is not in its row: the first one stays there.
ALTER FUNCTION quality_flags_put(int, text, jsonb, text)
    RENAME TO quality_flags_store;
CREATE FUNCTION quality_flags_put(series int, kind text, items jsonb,
    who text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM check_zones(who, 'this series', ARRAY[series_zone(series)]),
	    quality_flags_store(series, kind, items, who);
END $$;
