-- What the guards look at when a command is about to leave: hands-off
-- switches, locks, how often a link may be moved, links that exclude each
-- other, and values within which alone it may be moved.

ALTER TABLE links
	ADD COLUMN max_per_hour   int CHECK (max_per_hour > 0),
	ADD COLUMN min_interval_s float8 CHECK (min_interval_s > 0),
	ADD COLUMN exclusion      text CHECK (length(exclusion) BETWEEN 1 AND 63),
	ADD COLUMN locked_by      text,
	ADD COLUMN locked_at      timestamptz,
	ADD COLUMN lock_reason    text;
CREATE INDEX links_exclusion_idx ON links (exclusion)
	WHERE exclusion IS NOT NULL;

-- The link is moved only while the series' newest value, of late, is within;
-- action NULL: whatever is done to it. Canonical units.
CREATE TABLE link_limits (
	id        int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	link_id   int NOT NULL REFERENCES links ON DELETE CASCADE,
	series_id int NOT NULL REFERENCES series,
	action    text CHECK (action ~ '^[a-z_]{1,40}$'),
	low       float8,
	high      float8,
	CONSTRAINT link_limits_says CHECK (low IS NOT NULL OR high IS NOT NULL),
	CONSTRAINT link_limits_order CHECK (low <= high)
);
CREATE INDEX link_limits_link_idx ON link_limits (link_id);

-- No command leaves; zone NULL: anywhere. Rows stay when it is released.
CREATE TABLE hands_off (
	id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	zone_id     int REFERENCES zones,
	set_by      text NOT NULL,
	set_at      timestamptz NOT NULL,
	reason      text NOT NULL,
	released_by text,
	released_at timestamptz,
	release_reason text
);
CREATE UNIQUE INDEX hands_off_key ON hands_off (coalesce(zone_id, 0))
	WHERE released_at IS NULL;

CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON link_limits
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON hands_off
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_change AFTER UPDATE ON hands_off
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION audit_note('change');

CREATE FUNCTION link_guards_json(l links) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_build_object('link', l.code,
	    'max_per_hour', l.max_per_hour,
	    'min_interval_s', l.min_interval_s, 'exclusion', l.exclusion,
	    'locked_by', l.locked_by, 'locked_at', rfc3339(l.locked_at),
	    'lock_reason', l.lock_reason,
	    'limits', (SELECT coalesce(json_agg(json_build_object(
	        'node', n.code, 'metric', m.code, 'unit', m.unit,
	        'action', i.action, 'low', i.low, 'high', i.high)
	        ORDER BY i.id), '[]')
	        FROM link_limits i JOIN series s ON s.id = i.series_id
	        JOIN nodes n ON n.id = s.node_id
	        JOIN metrics m ON m.id = s.metric_id
	        WHERE i.link_id = l.id));
END $$;

-- All of them; what the body does not have is taken away.
CREATE FUNCTION link_guards_put(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	l links := link_take(wanted, if_match);
	i record;
	s series;
BEGIN
	DELETE FROM link_limits WHERE link_id = l.id;
	FOR i IN SELECT e, ord - 1 AS at FROM jsonb_array_elements(
	    coalesce(nullif(body->'limits', 'null'), '[]'))
	    WITH ORDINALITY u(e, ord)
	LOOP
		SELECT t.* INTO s FROM series t
		    JOIN nodes n ON n.id = t.node_id
		    JOIN metrics m ON m.id = t.metric_id
		WHERE n.code = i.e->>'node' AND m.code = i.e->>'metric'
		    AND t.retired_at IS NULL;
		IF NOT FOUND THEN
			PERFORM refuse(422, format('there is no series %s/%s',
			    i.e->>'node', i.e->>'metric'),
			    '/limits/' || i.at || '/node');
		END IF;
		IF i.e->>'low' IS NULL AND i.e->>'high' IS NULL THEN
			PERFORM refuse(422, 'a limit has low, high or both',
			    '/limits/' || i.at || '/low');
		END IF;
		IF (i.e->>'low')::float8 > (i.e->>'high')::float8 THEN
			PERFORM refuse(422, 'low is above high',
			    '/limits/' || i.at || '/low');
		END IF;
		IF i.e->>'action' !~ '^[a-z_]{1,40}$' THEN
			PERFORM refuse(422, 'an action has up to 40 lower-case '
			    'letters and _', '/limits/' || i.at || '/action');
		END IF;
		INSERT INTO link_limits (link_id, series_id, action, low, high)
		VALUES (l.id, s.id, i.e->>'action', (i.e->>'low')::float8,
		    (i.e->>'high')::float8);
	END LOOP;
	UPDATE links u SET max_per_hour = (body->>'max_per_hour')::int,
	    min_interval_s = (body->>'min_interval_s')::float8,
	    exclusion = body->>'exclusion'
	WHERE u.id = l.id RETURNING * INTO l;
	RETURN ROW(link_guards_json(l), etag(l.change), NULL)::answer;
END $$;

CREATE FUNCTION check_link_zone(l links, who text) RETURNS void
LANGUAGE sql AS $$
	SELECT check_zones(who, format('link %s', l.code),
	    ARRAY(SELECT zone_id FROM nodes WHERE id = l.to_node))
$$;

-- The first to lock stays named.
CREATE FUNCTION link_lock(wanted text, locked boolean, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	l links := link_take(wanted, NULL);
BEGIN
	PERFORM check_link_zone(l, who);
	IF locked AND l.locked_by IS NOT NULL THEN
		PERFORM refuse(409, format('link %s is locked by %s since %s',
		    wanted, l.locked_by, rfc3339(l.locked_at)));
	END IF;
	IF NOT locked AND l.locked_by IS NULL THEN
		PERFORM refuse(409, format('link %s is not locked', wanted));
	END IF;
	UPDATE links u SET locked_by = CASE WHEN locked THEN who END,
	    locked_at = CASE WHEN locked THEN clock_timestamp() END,
	    lock_reason = CASE WHEN locked THEN body->>'reason' END
	WHERE u.id = l.id RETURNING * INTO l;
	RETURN ROW(link_guards_json(l), etag(l.change), NULL)::answer;
END $$;

CREATE FUNCTION hands_off_json(h hands_off) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', h.id,
	    'zone', (SELECT code FROM zones WHERE id = h.zone_id),
	    'set_by', h.set_by, 'set_at', rfc3339(h.set_at),
	    'reason', h.reason, 'released_by', h.released_by,
	    'released_at', rfc3339(h.released_at),
	    'release_reason', h.release_reason)
$$;

CREATE FUNCTION hands_off_set(body jsonb, active boolean, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	wanted int;
	place text := coalesce('zone ' || (body->>'zone'), 'everywhere');
	h hands_off;
BEGIN
	PERFORM change_begin();
	IF body->>'zone' IS NOT NULL THEN
		SELECT id INTO wanted FROM zones WHERE code = body->>'zone';
		IF NOT FOUND THEN
			PERFORM refuse(422, format('there is no zone %s',
			    body->>'zone'), '/zone');
		END IF;
	END IF;
	PERFORM check_zones(who, place, ARRAY[wanted]);
	SELECT * INTO h FROM hands_off WHERE released_at IS NULL
	    AND zone_id IS NOT DISTINCT FROM wanted FOR UPDATE;
	IF active AND FOUND THEN
		PERFORM refuse(409, format('hands are off %s already, by %s',
		    place, h.set_by));
	ELSIF active THEN
		INSERT INTO hands_off (zone_id, set_by, set_at, reason)
		VALUES (wanted, who, clock_timestamp(), body->>'reason')
		RETURNING * INTO h;
	ELSIF NOT FOUND THEN
		PERFORM refuse(409, format('hands are not off %s', place));
	ELSE
		UPDATE hands_off u SET released_by = who,
		    released_at = clock_timestamp(),
		    release_reason = body->>'reason'
		WHERE u.id = h.id RETURNING * INTO h;
	END IF;
	RETURN ROW(hands_off_json(h), NULL, NULL)::answer;
END $$;
