-- Rules over several series, in versions; the service has read each body
-- (src/ingest/rule_json.h) before it comes here.

CREATE TABLE rules (
	id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	code        text NOT NULL CONSTRAINT rules_code_key UNIQUE
	    CHECK (code ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$'),
	name        text NOT NULL DEFAULT '',
	mode        text NOT NULL CHECK (mode IN ('live', 'shadow', 'off')),
	version     int NOT NULL, -- what `mode` is about
	shadow_version int, -- judged beside it, raising nothing
	created_at  timestamptz NOT NULL DEFAULT now(),
	change      bigint NOT NULL,
	CHECK (shadow_version <> version)
);
CREATE TRIGGER rules_change BEFORE INSERT OR UPDATE ON rules
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

CREATE TABLE rule_versions (
	rule_id     int NOT NULL REFERENCES rules ON DELETE CASCADE,
	version     int NOT NULL,
	body        jsonb NOT NULL,
	sha256      text NOT NULL, -- of body::text
	author      text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (rule_id, version)
);

-- What the loop remembers of each; not bound to rules, so that it can clear
-- what one that is gone had open.
CREATE TABLE rule_states (
	rule_id     int NOT NULL,
	shadow      boolean NOT NULL,
	version     int NOT NULL,
	state       bytea NOT NULL,
	PRIMARY KEY (rule_id, shadow)
);

-- What a rule in shadow would have raised.
CREATE TABLE rule_shadow_findings (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	rule_id     int NOT NULL REFERENCES rules ON DELETE CASCADE,
	version     int NOT NULL,
	series_id   int NOT NULL REFERENCES series,
	severity    text NOT NULL,
	first_at    timestamptz NOT NULL,
	raised_at   timestamptz NOT NULL DEFAULT now(),
	cleared_at  timestamptz,
	evidence    jsonb NOT NULL
);
CREATE INDEX rule_shadow_findings_rule_idx
	ON rule_shadow_findings (rule_id, id);

REVOKE UPDATE, DELETE ON rule_versions FROM penstock_serve;

CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON rules
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_change AFTER UPDATE ON rules
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_put AFTER INSERT OR UPDATE OR DELETE ON rule_versions
	FOR EACH ROW EXECUTE FUNCTION audit_note();

-- A rule's anomaly is a condition of its own. 0: of no rule of people's.
ALTER TABLE anomalies ADD rule_no int NOT NULL DEFAULT 0;
DROP INDEX anomalies_open_key;
CREATE UNIQUE INDEX anomalies_open_key ON anomalies
	(series_id, type, direction, severity, rule_no) WHERE state = 'open';
CREATE INDEX anomalies_rule_idx ON anomalies (rule_no, id) WHERE rule_no <> 0;

CREATE FUNCTION rule_json(r rules) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('code', r.code, 'name', r.name,
	    'mode', r.mode, 'version', r.version,
	    'shadow_version', r.shadow_version, 'rule', v.body,
	    'sha256', v.sha256, 'author', v.author,
	    'versioned_at', rfc3339(v.created_at),
	    'created_at', rfc3339(r.created_at))
	FROM rule_versions v WHERE v.rule_id = r.id AND v.version = r.version);
END $$;

CREATE FUNCTION rule_version_json(v rule_versions) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('version', v.version, 'rule', v.body,
	    'sha256', v.sha256, 'author', v.author,
	    'created_at', rfc3339(v.created_at))
$$;

-- How many series tests of that kind are about; what it names must be there.
CREATE FUNCTION rule_check_test(t jsonb, pointer text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	zone text := t->'where'->>'zone';
	node text := coalesce(t->'where'->>'node', split_part(t->>'series',
	    '/', 1));
	metric text := coalesce(t->>'metric', split_part(t->>'series', '/', 2));
	n bigint;
BEGIN
	IF t ? 'metric' THEN
		PERFORM find_metric(metric, pointer || '/metric');
	END IF;
	IF zone IS NOT NULL AND NOT EXISTS (SELECT FROM zones z
	    WHERE z.code = zone) THEN
		PERFORM refuse(422, format('there is no zone %s', zone),
		    pointer || '/where/zone');
	END IF;
	IF t->'where' ? 'node' THEN
		PERFORM find_node(node, pointer || '/where/node');
	END IF;
	SELECT count(*) INTO n FROM series s JOIN nodes x ON x.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	    LEFT JOIN zones z ON z.id = x.zone_id
	WHERE m.code = metric AND s.retired_at IS NULL
	    AND (node IS NULL OR x.code = node)
	    AND (zone IS NULL OR z.code = zone);
	IF n = 0 AND t ? 'series' THEN
		PERFORM refuse(422, format('there is no series %s',
		    t->>'series'), pointer || '/series');
	END IF;
	IF n = 0 THEN
		PERFORM refuse(422, format('no series of %s is there', metric),
		    pointer || CASE WHEN t ? 'where' THEN '/where'
		    ELSE '/metric' END);
	END IF;
	RETURN n;
END $$;

CREATE FUNCTION rule_check(c jsonb, pointer text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	op text;
	parts jsonb;
	at text;
	n bigint := 0;
	p record;
BEGIN
	SELECT k INTO op FROM jsonb_object_keys(c) k WHERE k IN ('and', 'or',
	    'not', 'for', 'within', 'sequence');
	IF op IS NULL THEN
		RETURN rule_check_test(c, pointer);
	END IF;
	parts := c->op;
	at := pointer || '/' || op;
	IF op IN ('for', 'within', 'sequence') THEN
		parts := parts->'of';
		at := at || '/of';
	END IF;
	IF jsonb_typeof(parts) <> 'array' THEN
		RETURN rule_check(parts, at);
	END IF;
	FOR p IN SELECT e, ord - 1 AS i FROM jsonb_array_elements(parts)
	    WITH ORDINALITY u(e, ord)
	LOOP
		n := n + rule_check(p.e, at || '/' || p.i);
	END LOOP;
	RETURN n;
END $$;

CREATE FUNCTION rule_check_body(body jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
	n bigint := rule_check(body->'when', '/rule/when');
BEGIN
	IF body->>'about' IS NOT NULL THEN
		PERFORM rule_check_test(jsonb_build_object('series',
		    body->>'about'), '/rule/about');
	END IF;
	IF n > 200 THEN
		PERFORM refuse(422, format('it is about %s series; a rule '
		    'takes 200', n), '/rule/when');
	END IF;
END $$;

-- The number of the version with that body, a new one if it is not the newest.
CREATE FUNCTION rule_version_add(wanted int, body jsonb, who text)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	newest rule_versions;
BEGIN
	PERFORM rule_check_body(body);
	SELECT * INTO newest FROM rule_versions v WHERE v.rule_id = wanted
	ORDER BY version DESC LIMIT 1;
	IF newest.body = body THEN
		RETURN newest.version;
	END IF;
	IF newest.version >= 1000 THEN
		PERFORM refuse(409, 'a rule has at most 1000 versions',
		    '/rule');
	END IF;
	INSERT INTO rule_versions (rule_id, version, body, sha256, author)
	VALUES (wanted, coalesce(newest.version, 0) + 1, body,
	    encode(sha256(convert_to(body::text, 'UTF8')), 'hex'), who);
	RETURN coalesce(newest.version, 0) + 1;
END $$;

CREATE FUNCTION rule_create(body jsonb, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	r rules;
BEGIN
	PERFORM change_begin(), check_code(body->>'code');
	IF (SELECT count(*) FROM rules) >= 500 THEN
		PERFORM refuse(409, 'there are 500 rules already');
	END IF;
	INSERT INTO rules (code, name, mode, version)
	VALUES (body->>'code', coalesce(body->>'name', ''),
	    coalesce(body->>'mode', 'shadow'), 1)
	ON CONFLICT (code) DO NOTHING RETURNING * INTO r;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('rule %s exists already',
		    body->>'code'), '/code');
	END IF;
	PERFORM rule_version_add(r.id, body->'rule', who);
	RETURN ROW(rule_json(r), etag(r.change),
	    '/api/v1/rules/' || r.code)::answer;
END $$;

CREATE FUNCTION rule_take(wanted text, if_match text) RETURNS rules
LANGUAGE plpgsql AS $$
DECLARE
	r rules;
BEGIN
	PERFORM change_begin();
	SELECT * INTO r FROM rules WHERE code = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no rule %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(r.change));
	RETURN r;
END $$;

CREATE FUNCTION rule_find_version(r rules, wanted int, pointer text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM rule_versions v WHERE v.rule_id = r.id
	    AND v.version = wanted) THEN
		PERFORM refuse(422, format('rule %s has no version %s', r.code,
		    wanted), pointer);
	END IF;
	RETURN wanted;
END $$;

-- A new body becomes the version, or with shadow_trial the one beside it.
CREATE FUNCTION rule_change(wanted text, body jsonb, who text, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	r rules := rule_take(wanted, if_match);
	added int;
BEGIN
	IF body->>'version' IS NOT NULL THEN
		IF jsonb_typeof(body->'rule') = 'object' THEN
			PERFORM refuse(422, 'a new rule gets a version of its '
			    'own', '/version');
		END IF;
		r.version := rule_find_version(r, (body->>'version')::int,
		    '/version');
	END IF;
	IF body ? 'shadow_version' THEN
		r.shadow_version := CASE WHEN body->>'shadow_version' IS NOT
		    NULL THEN rule_find_version(r,
		    (body->>'shadow_version')::int, '/shadow_version') END;
	END IF;
	IF jsonb_typeof(body->'rule') = 'object' THEN
		added := rule_version_add(r.id, body->'rule', who);
		IF (body->>'shadow_trial')::boolean THEN
			r.shadow_version := added;
		ELSE
			r.version := added;
		END IF;
	END IF;
	UPDATE rules u SET name = coalesce(body->>'name', u.name),
	    mode = coalesce(body->>'mode', u.mode), version = r.version,
	    shadow_version = nullif(r.shadow_version, r.version)
	WHERE u.id = r.id RETURNING * INTO r;
	RETURN ROW(rule_json(r), etag(r.change), NULL)::answer;
END $$;

-- What has raised anomalies stays, for whoever asks why.
CREATE FUNCTION rule_delete(wanted text, if_match text) RETURNS answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	r rules := rule_take(wanted, if_match);
BEGIN
	IF EXISTS (SELECT FROM anomalies WHERE rule_no = r.id) THEN
		PERFORM refuse(409, format('rule %s has raised anomalies; set '
		    'its mode to off', wanted));
	END IF;
	-- The loop learns of it by a change, and a row that is gone has none.
	UPDATE rules SET mode = 'off' WHERE id = r.id;
	DELETE FROM rules WHERE id = r.id;
	RETURN NULL;
END $$;

-- Newest 1000 of a rule, and of 90 days.
CREATE FUNCTION rule_shadow_add(wanted int, of_version int, series int,
    severity text, first_at timestamptz, evidence jsonb) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO rule_shadow_findings AS f (rule_id, version, series_id,
	    severity, first_at, evidence)
	SELECT wanted, of_version, series, severity, first_at, evidence
	WHERE EXISTS (SELECT FROM rules WHERE id = wanted);
	DELETE FROM rule_shadow_findings WHERE rule_id = wanted AND (
	    raised_at < now() - interval '90 days' OR id <= (
	    SELECT id FROM rule_shadow_findings WHERE rule_id = wanted
	    ORDER BY id DESC OFFSET 1000 LIMIT 1));
$$;

-- What fired in shadow since `since`, beside what the live version did:
-- findings of both that overlap are the same.
CREATE FUNCTION rule_shadow_json(r rules, since timestamptz, most int)
RETURNS json LANGUAGE sql STABLE AS $$
	WITH shadow AS (
		SELECT f.*, EXISTS (SELECT FROM anomalies a
		    WHERE a.rule_no = r.id AND a.first_at <= coalesce(
		        f.cleared_at, 'infinity') AND coalesce(a.cleared_at,
		        'infinity') >= f.first_at) AS also_live
		FROM rule_shadow_findings f
		WHERE f.rule_id = r.id AND f.first_at >= since),
	live AS (
		SELECT a.id, a.first_at, a.cleared_at, EXISTS (SELECT
		    FROM rule_shadow_findings f WHERE f.rule_id = r.id
		    AND f.first_at <= coalesce(a.cleared_at, 'infinity')
		    AND coalesce(f.cleared_at, 'infinity') >= a.first_at)
		    AS also_shadow
		FROM anomalies a WHERE a.rule_no = r.id
		    AND a.first_at >= since)
	SELECT json_build_object('code', r.code, 'mode', r.mode,
	    'version', r.version, 'shadow_version', r.shadow_version,
	    'since', rfc3339(since),
	    'fired_in_shadow', (SELECT count(*) FROM shadow),
	    'fired_live', (SELECT count(*) FROM live),
	    'both', (SELECT count(*) FROM shadow WHERE also_live),
	    'shadow_alone', (SELECT count(*) FROM shadow WHERE NOT also_live),
	    'live_alone', (SELECT count(*) FROM live WHERE NOT also_shadow),
	    'findings', (SELECT coalesce(json_agg(json_build_object(
	        'id', f.id, 'version', f.version,
	        'series', n.code || '/' || m.code, 'severity', f.severity,
	        'first_at', rfc3339(f.first_at),
	        'cleared_at', rfc3339(f.cleared_at),
	        'also_live', f.also_live, 'evidence', f.evidence)
	        ORDER BY f.id DESC), '[]')
	        FROM (SELECT * FROM shadow ORDER BY id DESC LIMIT most) f
	        JOIN series s ON s.id = f.series_id
	        JOIN nodes n ON n.id = s.node_id
	        JOIN metrics m ON m.id = s.metric_id))
$$;

-- All series of the rule's tests, and that it is about.
CREATE FUNCTION rule_series(body jsonb) RETURNS int[]
LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(DISTINCT s.id ORDER BY s.id), '{}')
	FROM series s JOIN nodes n ON n.id = s.node_id
	JOIN metrics m ON m.id = s.metric_id
	LEFT JOIN zones z ON z.id = n.zone_id
	JOIN (SELECT jsonb_path_query(body->'when', 'strict $.** ?
	    (exists(@.series) || exists(@.metric))', silent => true)
	    UNION ALL SELECT jsonb_build_object('series', body->>'about')) u(t)
	    ON CASE WHEN t ? 'series' THEN t->>'series' = n.code || '/' || m.code
	    ELSE t->>'metric' = m.code
	        AND coalesce(t->'where'->>'node' = n.code, true)
	        AND coalesce(t->'where'->>'zone' = z.code,
	        t->'where'->>'zone' IS NULL) END
	WHERE s.retired_at IS NULL
$$;

CREATE FUNCTION rule_backtest(wanted text, body jsonb, OUT code text,
    OUT version int, OUT rule text, OUT series int[])
RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
DECLARE
	r rules;
	chosen jsonb := nullif(body->'rule', 'null');
BEGIN
	SELECT * INTO r FROM rules u WHERE u.code = wanted;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF chosen IS NOT NULL THEN
		PERFORM rule_check_body(chosen);
		version := 0;
	ELSE
		version := rule_find_version(r,
		    coalesce((body->>'version')::int, r.version), '/version');
		SELECT v.body INTO chosen FROM rule_versions v
		WHERE v.rule_id = r.id
		    AND v.version = rule_backtest.version;
	END IF;
	code := r.code;
	rule := chosen::text;
	series := rule_series(chosen);
	RETURN NEXT;
END $$;
