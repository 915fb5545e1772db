-- Device keys that may send for some nodes only, expire, and are rotated.

-- node_ids, zone_ids: where the key may send; both NULL: everywhere. A node is
-- meant by itself or by the zone it is in at that moment.
-- replaces: the key this one was issued for; that one lives on for a while.
ALTER TABLE api_keys
	ADD node_ids int[],
	ADD zone_ids int[],
	ADD expires_at timestamptz,
	ADD replaces text REFERENCES api_keys;

-- Apart from api_keys, whose every change makes all workers load.
CREATE TABLE api_key_uses (
	id           text PRIMARY KEY REFERENCES api_keys ON DELETE CASCADE,
	last_used_at timestamptz NOT NULL
);

-- Numbers of the nodes of those codes. NULL in, NULL out.
CREATE FUNCTION find_nodes(codes jsonb, pointer text) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
	missing record;
BEGIN
	IF codes IS NULL OR jsonb_typeof(codes) = 'null' THEN
		RETURN NULL;
	END IF;
	SELECT c.code, c.ord - 1 AS i INTO missing
	FROM jsonb_array_elements_text(codes) WITH ORDINALITY c(code, ord)
	WHERE NOT EXISTS (SELECT FROM nodes n WHERE n.code = c.code)
	ORDER BY c.ord LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(422, format('there is no node %s',
		    missing.code), pointer || '/' || missing.i);
	END IF;
	RETURN ARRAY(SELECT id FROM nodes WHERE code IN
	    (SELECT jsonb_array_elements_text(codes)) ORDER BY id);
END $$;

CREATE FUNCTION key_json(k api_keys) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', k.id, 'name', k.name,
	    'role', k.role,
	    'nodes', CASE WHEN k.node_ids IS NOT NULL THEN
	        (SELECT coalesce(json_agg(code ORDER BY code), '[]')
	        FROM nodes WHERE id = ANY (k.node_ids)) END,
	    'zones', CASE WHEN k.zone_ids IS NOT NULL THEN
	        (SELECT coalesce(json_agg(code ORDER BY code), '[]')
	        FROM zones WHERE id = ANY (k.zone_ids)) END,
	    'created_by', k.created_by, 'created_at', rfc3339(k.created_at),
	    'expires_at', rfc3339(k.expires_at), 'replaces', k.replaces,
	    'revoked_at', rfc3339(k.revoked_at),
	    'last_used_at', (SELECT rfc3339(last_used_at)
	        FROM api_key_uses u WHERE u.id = k.id)));
END $$;

CREATE FUNCTION check_expiry(t timestamptz) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
	IF t <= now() THEN
		PERFORM refuse(422, 'a key expires in the future; DELETE '
		    'revokes it at once', '/expires_at');
	END IF;
	RETURN t;
END $$;

CREATE FUNCTION key_create(body jsonb, new_id text, sha bytea, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	k api_keys;
BEGIN
	PERFORM change_begin();
	INSERT INTO api_keys (id, name, secret_sha256, created_by, node_ids,
	    zone_ids, expires_at)
	VALUES (new_id, body->>'name', sha, who,
	    find_nodes(body->'nodes', '/nodes'),
	    find_zones(body->'zones', '/zones'),
	    check_expiry((body->>'expires_at')::timestamptz))
	RETURNING * INTO k;
	RETURN ROW(key_json(k), etag(k.change),
	    '/api/v1/api-keys/' || k.id)::answer;
END $$;

-- The key, locked and in use.
CREATE FUNCTION key_take(wanted text, if_match text) RETURNS api_keys
LANGUAGE plpgsql AS $$
DECLARE
	k api_keys;
BEGIN
	PERFORM change_begin();
	SELECT * INTO k FROM api_keys WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no API key %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(k.change));
	IF k.revoked_at IS NOT NULL OR k.expires_at <= now() THEN
		PERFORM refuse(409, format('key %s %s and stays so', wanted,
		    CASE WHEN k.revoked_at IS NOT NULL THEN 'was revoked'
		    ELSE 'has expired' END));
	END IF;
	RETURN k;
END $$;

CREATE FUNCTION key_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	k api_keys := key_take(wanted, if_match);
BEGIN
	UPDATE api_keys SET name = coalesce(body->>'name', name),
	    node_ids = CASE WHEN body ? 'nodes'
	        THEN find_nodes(body->'nodes', '/nodes') ELSE node_ids END,
	    zone_ids = CASE WHEN body ? 'zones'
	        THEN find_zones(body->'zones', '/zones') ELSE zone_ids END,
	    expires_at = CASE WHEN body ? 'expires_at'
	        THEN check_expiry((body->>'expires_at')::timestamptz)
	        ELSE expires_at END
	WHERE id = k.id RETURNING * INTO k;
	RETURN ROW(key_json(k), etag(k.change), NULL)::answer;
END $$;

-- A new key with name and scope of the old one, which lives on for as long as
-- its holder may need to take the new one.
CREATE FUNCTION key_rotate(wanted text, body jsonb, new_id text, sha bytea,
    who text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	k api_keys := key_take(wanted, NULL);
	overlap interval := coalesce((body->>'overlap_s')::float8, 86400)
	    * interval '1 s';
BEGIN
	UPDATE api_keys SET
	    expires_at = least(expires_at, now() + overlap)
	WHERE id = k.id;
	INSERT INTO api_keys (id, name, secret_sha256, created_by, node_ids,
	    zone_ids, expires_at, replaces)
	VALUES (new_id, k.name, sha, who, k.node_ids, k.zone_ids,
	    check_expiry((body->>'expires_at')::timestamptz), k.id)
	RETURNING * INTO k;
	RETURN ROW(key_json(k), etag(k.change),
	    '/api/v1/api-keys/' || k.id)::answer;
END $$;

-- Written once a minute and key at most, whoever tells.
CREATE FUNCTION keys_used(ids text[], at_us bigint[]) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO api_key_uses AS u
	SELECT k.id, max(timestamptz 'epoch' + t.us * interval '1 us')
	FROM unnest(ids, at_us) AS t(id, us) JOIN api_keys k ON k.id = t.id
	GROUP BY k.id ORDER BY k.id
	ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at
	WHERE u.last_used_at <= excluded.last_used_at - interval '60 s'
$$;
