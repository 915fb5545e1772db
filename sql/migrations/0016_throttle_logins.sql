-- Accounts of people: what an admin changes, and how often a password may be
-- tried. Whoever must know that a user changed listens to the notification
-- 'users', or hangs a trigger on the columns role, password_hash, disabled_at.

-- Zones in which an operator may act. NULL: in all, nodes without a zone
-- included; an empty array: in none.
ALTER TABLE users
	ADD zone_ids int[],
	ADD password_changed_at timestamptz NOT NULL DEFAULT now(),
	ADD change bigint NOT NULL DEFAULT 0,
	ADD CONSTRAINT users_zones_of_operators
	    CHECK (zone_ids IS NULL OR role = 'operator');
UPDATE users SET password_changed_at = created_at,
    change = nextval('change_seq');
CREATE TRIGGER users_change BEFORE INSERT OR UPDATE ON users
	FOR EACH ROW EXECUTE FUNCTION change_stamp();

-- Where a user has logged in from lately: an address, or an IPv6 network.
CREATE TABLE login_places (
	user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
	place   inet NOT NULL,
	last_at timestamptz NOT NULL,
	PRIMARY KEY (user_id, place)
);

CREATE FUNCTION user_json(u users) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('username', u.username,
	    'role', u.role,
	    'zones', CASE WHEN u.zone_ids IS NOT NULL THEN
	        (SELECT coalesce(json_agg(code ORDER BY code), '[]')
	        FROM zones WHERE id = ANY (u.zone_ids)) END,
	    'created_at', rfc3339(u.created_at),
	    'password_changed_at', rfc3339(u.password_changed_at),
	    'last_login_at', (SELECT rfc3339(max(last_at)) FROM login_places
	        WHERE user_id = u.id),
	    'disabled_at', rfc3339(u.disabled_at)));
END $$;

-- Numbers of the zones of those codes. NULL in, NULL out.
CREATE FUNCTION find_zones(codes jsonb, pointer text) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
	c record;
	found_id int;
	ids int[] := '{}';
BEGIN
	IF codes IS NULL OR jsonb_typeof(codes) = 'null' THEN
		RETURN NULL;
	END IF;
	FOR c IN SELECT code, ord - 1 AS i FROM
	    jsonb_array_elements_text(codes) WITH ORDINALITY u(code, ord)
	LOOP
		SELECT id INTO found_id FROM zones WHERE code = c.code;
		IF NOT FOUND THEN
			PERFORM refuse(422, format('there is no zone %s',
			    c.code), pointer || '/' || c.i);
		END IF;
		IF found_id <> ALL (ids) THEN
			ids := ids || found_id;
		END IF;
	END LOOP;
	RETURN ids;
END $$;

CREATE FUNCTION check_zones_of(role text, zones jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF role <> 'operator' AND jsonb_typeof(zones) = 'array' THEN
		PERFORM refuse(422, format('zones bind operators alone; role '
		    '%s would not be bound by them', role), '/zones');
	END IF;
END $$;

CREATE FUNCTION user_create(body jsonb, hash text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	u users;
BEGIN
	PERFORM change_begin(),
	    check_zones_of(body->>'role', body->'zones');
	INSERT INTO users (username, password_hash, role, zone_ids)
	VALUES (body->>'username', hash, body->>'role',
	    find_zones(body->'zones', '/zones'))
	ON CONFLICT (username) DO NOTHING RETURNING * INTO u;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('there is or was a user %s',
		    body->>'username'), '/username');
	END IF;
	RETURN ROW(user_json(u), etag(u.change),
	    '/api/v1/users/' || u.username)::answer;
END $$;

-- The user, locked, after the lock of all changes: two admins cannot take
-- each other's role at once.
CREATE FUNCTION user_take(wanted text, if_match text) RETURNS users
LANGUAGE plpgsql AS $$
DECLARE
	u users;
BEGIN
	PERFORM change_begin();
	SELECT * INTO u FROM users WHERE username = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no user %s', wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(u.change));
	RETURN u;
END $$;

CREATE FUNCTION user_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	u users := user_take(wanted, if_match);
	was users := u;
BEGIN
	u.role := coalesce(body->>'role', u.role);
	PERFORM check_zones_of(u.role, body->'zones');
	-- They are of the role: who leaves it leaves them.
	IF body ? 'zones' THEN
		u.zone_ids := find_zones(body->'zones', '/zones');
	ELSIF u.role <> 'operator' THEN
		u.zone_ids := NULL;
	END IF;
	u.disabled_at := CASE body->>'disabled'
	    WHEN 'true' THEN coalesce(u.disabled_at, now())
	    WHEN 'false' THEN NULL ELSE u.disabled_at END;
	IF was.role = 'admin' AND was.disabled_at IS NULL
	    AND (u.role <> 'admin' OR u.disabled_at IS NOT NULL)
	    AND NOT EXISTS (SELECT FROM users WHERE role = 'admin'
	    AND disabled_at IS NULL AND id <> u.id) THEN
		PERFORM refuse(409, format('%s is the last admin, who can '
		    'neither be disabled nor given another role', wanted));
	END IF;
	IF u IS DISTINCT FROM was THEN
		UPDATE users SET role = u.role, zone_ids = u.zone_ids,
		    disabled_at = u.disabled_at WHERE id = u.id
		RETURNING * INTO u;
	END IF;
	RETURN ROW(user_json(u), etag(u.change), NULL)::answer;
END $$;

-- old: the hash that the old password was checked against, NULL when an admin
-- sets the password. False: it changed meanwhile.
CREATE FUNCTION user_set_password(wanted text, hash text, old text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	u users := user_take(wanted, NULL);
BEGIN
	IF old IS NOT NULL AND (u.password_hash <> old
	    OR u.disabled_at IS NOT NULL) THEN
		RETURN false;
	END IF;
	UPDATE users SET password_hash = hash, password_changed_at = now()
	WHERE id = u.id;
	RETURN true;
END $$;

-- Logging in. A bucket holds `burst` tries and regains one each `every`; what
-- is kept is when it is full again (GCRA), so nothing is ever locked for
-- longer than one such span. A user at an address where he has logged in
-- within 30 days has a bucket of his own there, which nobody elsewhere can
-- empty; anybody else also draws on the bucket of his address and on that of
-- the account, which bounds guessing from many addresses. `tries` is the
-- setting.
CREATE TABLE login_limits (
	kind  text PRIMARY KEY,
	ord   int NOT NULL UNIQUE, -- in which buckets are locked
	times int NOT NULL,        -- burst = times * tries
	every interval NOT NULL
);
INSERT INTO login_limits VALUES
	('address', 1, 6, '5 s'),
	('account', 2, 10, '20 s'),
	('pair',    3, 1, '60 s');

-- Names that were tried are not kept, only hashes: some are passwords. `used`
-- counts up, and what is more than 200,000 uses old is evicted.
CREATE UNLOGGED TABLE login_buckets (
	key     bytea PRIMARY KEY,
	used    bigint NOT NULL,
	full_at timestamptz NOT NULL
);
CREATE INDEX login_buckets_used_idx ON login_buckets (used);
CREATE SEQUENCE login_use_seq;

-- An IPv6 host is given a /64: who has one has all of its addresses.
CREATE FUNCTION login_place(address inet) RETURNS inet
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN address IS NULL THEN inet '0.0.0.0'
	    WHEN family(address) = 6 AND NOT address <<= inet '::ffff:0:0/96'
	    THEN network(set_masklen(address, 64))
	    ELSE address END
$$;

CREATE FUNCTION login_key(kind text, name text, place inet) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
	SELECT sha256(convert_to(kind || ' '
	    || CASE WHEN kind <> 'account' THEN host(place) ELSE '' END
	    || CASE WHEN kind <> 'address' THEN ' ' || name ELSE '' END,
	    'UTF8'))
$$;

-- The buckets an attempt draws on, each with how long it must be waited for.
CREATE FUNCTION login_waits(name text, place inet, at_home boolean,
    tries int, t timestamptz)
RETURNS TABLE (key bytea, every interval, burst interval, wait interval)
LANGUAGE sql AS $$
	SELECT k.key, l.every, l.times * tries * l.every,
	    b.full_at + l.every - l.times * tries * l.every - t
	FROM login_limits l
	    CROSS JOIN LATERAL (SELECT login_key(l.kind, name, place)) k(key)
	    LEFT JOIN login_buckets b ON b.key = k.key
	WHERE l.kind = 'pair' OR NOT at_home
	ORDER BY l.ord
$$;

-- One try from a bucket. More than '0': it was empty, for so long; that is
-- told by the row itself, so many at once are no more than those allowed.
CREATE FUNCTION login_draw(bucket bytea, every interval, burst interval,
    t timestamptz) RETURNS interval LANGUAGE sql AS $$
	INSERT INTO login_buckets AS l
	VALUES (bucket, nextval('login_use_seq'), t + every)
	ON CONFLICT (key) DO UPDATE SET used = excluded.used,
	    full_at = greatest(l.full_at, t) + every
	RETURNING full_at - burst - t
$$;

-- Draws on all of them or on none; what must be waited for is the longest.
CREATE FUNCTION login_take(name text, place inet, at_home boolean, tries int)
RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz := clock_timestamp();
	longest interval;
	b record;
BEGIN
	SELECT max(wait) INTO longest
	FROM login_waits(name, place, at_home, tries, t);
	IF longest > '0' THEN
		RETURN longest;
	END IF;
	longest := '0';
	FOR b IN SELECT * FROM login_waits(name, place, at_home, tries, t)
	LOOP
		longest := greatest(longest,
		    login_draw(b.key, b.every, b.burst, t));
	END LOOP;
	IF longest > '0' THEN
		PERFORM login_give_back(name, place, at_home);
	END IF;
	RETURN longest;
END $$;

CREATE FUNCTION login_give_back(name text, place inet, at_home boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	b record;
BEGIN
	FOR b IN SELECT * FROM login_waits(name, place, at_home, 1, now())
	LOOP
		UPDATE login_buckets l SET full_at = l.full_at - b.every
		WHERE l.key = b.key;
	END LOOP;
END $$;

CREATE FUNCTION login_tidy() RETURNS void LANGUAGE sql AS $$
	DELETE FROM login_buckets WHERE key IN (SELECT key
	    FROM login_buckets
	    WHERE used < (SELECT last_value - 200000 FROM login_use_seq)
	    ORDER BY used LIMIT 10 FOR UPDATE SKIP LOCKED)
$$;

-- Before a password is looked at: counts the attempt. wait_s > 0: not now, and
-- nothing was counted. No hash: nobody of that name may log in.
CREATE FUNCTION login_begin(name text, address inet, tries int,
    OUT password_hash text, OUT role text, OUT wait_s int,
    OUT at_home boolean) LANGUAGE plpgsql AS $$
DECLARE
	u users;
	here inet := login_place(address);
BEGIN
	SELECT * INTO u FROM users WHERE username = name
	    AND disabled_at IS NULL;
	at_home := EXISTS (SELECT FROM login_places p WHERE p.user_id = u.id
	    AND p.place = here AND p.last_at > now() - interval '30 days');
	wait_s := ceil(extract(epoch FROM
	    login_take(name, here, at_home, tries)));
	IF wait_s = 0 THEN
		PERFORM login_tidy();
		password_hash := u.password_hash;
		role := u.role;
	END IF;
END $$;

-- The password was right: gives the attempt back, forgets those before it at
-- this address, and remembers the address. No row: the user changed
-- meanwhile.
CREATE FUNCTION login_done(name text, address inet, hash text,
    at_home boolean) RETURNS SETOF users LANGUAGE plpgsql AS $$
DECLARE
	u users;
	here inet := login_place(address);
BEGIN
	PERFORM login_give_back(name, here, at_home);
	DELETE FROM login_buckets
	WHERE key = login_key('pair', name, here);
	SELECT * INTO u FROM users WHERE username = name
	    AND disabled_at IS NULL AND password_hash = hash;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO login_places VALUES (u.id, here, now())
	ON CONFLICT (user_id, place) DO UPDATE SET last_at = now();
	DELETE FROM login_places p WHERE p.user_id = u.id AND p.place NOT IN
	    (SELECT o.place FROM login_places o WHERE o.user_id = u.id
	    ORDER BY o.last_at DESC LIMIT 16);
	RETURN NEXT u;
END $$;
