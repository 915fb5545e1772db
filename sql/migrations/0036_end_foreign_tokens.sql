-- Access tokens of a foreign identity provider that are no longer taken, and
-- the zones its operators are bound to.

CREATE TABLE revocations (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	principal  text, -- idp:SUBJECT, as the record names him
	jti        text, -- RFC 7519 section 4.1.7
	reason     text NOT NULL,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL,
	-- Of a principal: tokens that began before it, by the provider's clock,
	-- which may be 30 s ahead of ours (TOKEN_SKEW_S).
	before     timestamptz,
	-- No token that it ends lives longer: a day (PENSTOCK_IDP_LIFE at most)
	-- and what clocks differ by.
	until      timestamptz NOT NULL,
	key        bigint NOT NULL,
	change     bigint NOT NULL,
	CHECK ((principal IS NULL) <> (jti IS NULL)),
	CHECK ((principal IS NULL) = (before IS NULL))
);
CREATE INDEX revocations_change_idx ON revocations (change);
CREATE INDEX revocations_until_idx ON revocations (until);
CREATE TRIGGER revocations_change BEFORE INSERT ON revocations
	FOR EACH ROW EXECUTE FUNCTION change_stamp();
-- Made, and tidied away when over: never changed.
CREATE TRIGGER audit_put AFTER INSERT ON revocations
	FOR EACH ROW EXECUTE FUNCTION audit_note('change', 'key');
REVOKE INSERT, UPDATE, DELETE ON revocations FROM penstock_serve;

-- What workers know it by: below 0, where no session is (auth/revoked.h).
CREATE FUNCTION revocation_mark(kind text, name text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x' || encode(substring(sha256(convert_to(kind || ':' || name,
	    'UTF8')) FOR 8), 'hex'))::bit(64)::bigint
	    | (-9223372036854775808)::bigint
$$;

CREATE FUNCTION revocation_json(r revocations) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_build_object('id', r.id, 'principal', r.principal,
	    'jti', r.jti, 'reason', r.reason, 'created_by', r.created_by,
	    'created_at', rfc3339(r.created_at), 'until', rfc3339(r.until));
END $$;

CREATE FUNCTION revocation_create(body jsonb, who text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	name text := body->>'principal';
	token text := body->>'jti';
	r revocations;
BEGIN
	PERFORM change_begin();
	IF (name IS NULL) = (token IS NULL) THEN
		PERFORM refuse(422, 'name either a principal or the jti of one '
		    'token');
	END IF;
	IF name !~ '^idp:.' THEN
		PERFORM refuse(422, 'a principal is idp: and the sub of his '
		    'tokens; users and keys are disabled or revoked themselves',
		    '/principal');
	END IF;
	DELETE FROM revocations WHERE until < now();
	IF (SELECT count(*) FROM revocations) >= 100000 THEN
		PERFORM refuse(409, '100000 revocations are in force: take the '
		    'key of the identity provider away instead');
	END IF;
	r.created_at := clock_timestamp();
	INSERT INTO revocations (principal, jti, reason, created_by,
	    created_at, before, until, key)
	VALUES (name, token, body->>'reason', who, r.created_at,
	    CASE WHEN token IS NULL THEN r.created_at + interval '30 s' END,
	    r.created_at + interval '1 day 5 min',
	    CASE WHEN token IS NULL THEN revocation_mark('sub', name)
	    ELSE revocation_mark('jti', token) END)
	RETURNING * INTO r;
	RETURN revocation_json(r);
END $$;
REVOKE ALL ON FUNCTION revocation_create(jsonb, text) FROM penstock_archive;

-- Where a principal of a foreign provider acts, from the token, as the service
-- says with the request; NULL: everywhere. Who cannot tell acts nowhere.
CREATE FUNCTION foreign_zones(who text) RETURNS int[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	o jsonb := nullif(current_setting('penstock.origin', true), '');
BEGIN
	IF o->>'actor' = who AND (o->>'role' IN ('engineer', 'admin')
	    OR o->'zones' ? '*') THEN
		RETURN NULL;
	END IF;
	RETURN ARRAY(SELECT id FROM zones
	    WHERE o->>'actor' = who AND o->'zones' ? code);
END $$;

-- As before; names of a foreign provider are bound, too.
CREATE OR REPLACE FUNCTION check_zones(who text, what text, zones int[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	u users;
BEGIN
	SELECT * INTO u FROM users WHERE username = who;
	IF u.disabled_at IS NOT NULL THEN
		PERFORM refuse(403, format('user %s is disabled', who));
	END IF;
	IF who LIKE 'idp:%' THEN
		u.zone_ids := foreign_zones(who);
	END IF;
	IF u.zone_ids IS NOT NULL AND NOT zones <@ u.zone_ids THEN
		PERFORM refuse(403, format('%s is not within the zones of %s: %s',
		    what, who, coalesce((SELECT string_agg(code, ', '
		    ORDER BY code) FROM zones
		    WHERE id = ANY (u.zone_ids)), 'none')));
	END IF;
END $$;
