-- A session is what one log-in began: the refresh token that is good now, and
-- the access tokens that name the session. Only SHA-256 of the refresh token
-- is here, in two parts: one that stays and one that changes with each use
-- (src/auth/refresh.h).
CREATE TABLE sessions (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	handle_sha256 bytea NOT NULL UNIQUE CHECK (length(handle_sha256) = 32),
	secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
	user_id       int NOT NULL REFERENCES users (id),
	created_at    timestamptz NOT NULL DEFAULT now(),
	refreshed_at  timestamptz NOT NULL DEFAULT now(),
	expires_at    timestamptz NOT NULL, -- whatever is done
	idle_until    timestamptz NOT NULL, -- unless refreshed before
	-- No access token of it lives longer, whatever an instance's clock says
	-- (by five minutes): a worker need not be told of it any more.
	access_until  timestamptz NOT NULL,
	revoked_at    timestamptz,
	revoked_why   text CHECK (revoked_why IN
	    ('logged out', 'logged out everywhere', 'refresh token reused',
	    'user changed')),
	change        bigint NOT NULL DEFAULT 0,
	CHECK ((revoked_at IS NULL) = (revoked_why IS NULL))
);
CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_over_idx ON sessions (access_until);
CREATE INDEX sessions_revoked_idx ON sessions (change)
	WHERE revoked_at IS NOT NULL;

-- Only what ends is told to the workers. Whoever ends a session takes
-- change_begin() first; a log-in and a refresh take no lock of all changes,
-- but the user's row, shared, before the session's.
CREATE TRIGGER sessions_revoked BEFORE UPDATE ON sessions FOR EACH ROW
	WHEN (NEW.revoked_at IS NOT NULL AND OLD.revoked_at IS NULL)
	EXECUTE FUNCTION change_stamp();

-- What a user was is in his tokens: another role, password or a disabled
-- account ends them.
CREATE FUNCTION users_begin_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change_begin();
	RETURN NULL;
END $$;
CREATE TRIGGER users_begin BEFORE UPDATE ON users
	FOR EACH STATEMENT EXECUTE FUNCTION users_begin_change();

CREATE FUNCTION users_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sessions SET revoked_at = now(), revoked_why = 'user changed'
	WHERE user_id = NEW.id AND revoked_at IS NULL;
	RETURN NULL;
END $$;
CREATE TRIGGER users_sessions AFTER UPDATE ON users FOR EACH ROW
	WHEN (NEW.role <> OLD.role OR NEW.password_hash <> OLD.password_hash
	    OR NEW.disabled_at IS NOT NULL AND OLD.disabled_at IS NULL)
	EXECUTE FUNCTION users_end_sessions();

-- What is told of a session with new tokens; lives_s: within which the refresh
-- token must be used.
CREATE TYPE session_grant AS (verdict text, session bigint, username text,
    role text, lives_s int);

CREATE FUNCTION session_granted(s sessions, u users) RETURNS session_grant
LANGUAGE sql STABLE AS $$
	SELECT ('ok', s.id, u.username, u.role, floor(extract(epoch FROM
	    least(s.expires_at, s.idle_until) - now())))::session_grant
$$;

-- A few that are over go with each that begins.
CREATE FUNCTION sessions_tidy() RETURNS void LANGUAGE sql AS $$
	DELETE FROM sessions WHERE id IN (SELECT id FROM sessions
	    WHERE access_until < now() AND (revoked_at IS NOT NULL
	        OR least(expires_at, idle_until) < now())
	    ORDER BY access_until LIMIT 20 FOR UPDATE SKIP LOCKED)
$$;

-- Of the 100 most recent ones of a user the rest can be refreshed no more.
CREATE FUNCTION sessions_bound(wanted int) RETURNS void LANGUAGE sql AS $$
	UPDATE sessions SET expires_at = now() WHERE id IN (SELECT id
	    FROM sessions WHERE user_id = wanted AND revoked_at IS NULL
	        AND expires_at > now()
	    ORDER BY refreshed_at DESC, id DESC OFFSET 100
	    FOR UPDATE SKIP LOCKED)
$$;

-- hash: what the password was checked against. No row: the user changed
-- meanwhile. The lock on him lets a change that comes now wait, and then see
-- this session.
CREATE FUNCTION session_begin(name text, hash text, handle bytea,
    secret bytea, life_s int, idle_s int, access_s int)
RETURNS SETOF session_grant LANGUAGE plpgsql AS $$
DECLARE
	u users;
	s sessions;
BEGIN
	PERFORM sessions_tidy();
	SELECT * INTO u FROM users WHERE username = name
	    AND password_hash = hash AND disabled_at IS NULL FOR SHARE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO sessions (handle_sha256, secret_sha256, user_id,
	    expires_at, idle_until, access_until)
	VALUES (handle, secret, u.id, now() + life_s * interval '1 s',
	    now() + idle_s * interval '1 s',
	    now() + (access_s + 300) * interval '1 s')
	RETURNING * INTO s;
	PERFORM sessions_bound(u.id);
	RETURN NEXT session_granted(s, u);
END $$;

-- One row: 'ok' with the rest; 'unknown'; 'over' (ended, or too old); 'spent':
-- the token was used before, so two have it, and the caller ends the session.
-- (Not done here: who ends one takes the lock of all changes before others.)
CREATE FUNCTION session_refresh(handle bytea, old bytea, new bytea,
    idle_s int, access_s int) RETURNS session_grant LANGUAGE plpgsql AS $$
DECLARE
	u users;
	s sessions;
	g session_grant;
BEGIN
	SELECT * INTO s FROM sessions WHERE handle_sha256 = handle;
	IF NOT FOUND THEN
		g.verdict := 'unknown';
		RETURN g;
	END IF;
	SELECT * INTO u FROM users WHERE id = s.user_id FOR SHARE;
	SELECT * INTO s FROM sessions WHERE id = s.id FOR UPDATE;
	g.session := s.id;
	g.username := u.username;
	IF s.id IS NULL OR s.revoked_at IS NOT NULL
	    OR u.disabled_at IS NOT NULL THEN
		g.verdict := 'over';
	ELSIF s.secret_sha256 <> old THEN
		g.verdict := 'spent';
	ELSIF least(s.expires_at, s.idle_until) <= now() THEN
		g.verdict := 'over';
	ELSE
		UPDATE sessions SET secret_sha256 = new, refreshed_at = now(),
		    idle_until = now() + idle_s * interval '1 s',
		    access_until = greatest(access_until,
		        now() + (access_s + 300) * interval '1 s')
		WHERE id = s.id RETURNING * INTO s;
		g := session_granted(s, u);
	END IF;
	RETURN g;
END $$;

CREATE FUNCTION session_end(wanted bigint, why text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change_begin();
	UPDATE sessions SET revoked_at = now(), revoked_why = why
	WHERE id = wanted AND revoked_at IS NULL;
END $$;

CREATE FUNCTION session_end_all(name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change_begin();
	UPDATE sessions SET revoked_at = now(),
	    revoked_why = 'logged out everywhere'
	WHERE user_id = (SELECT id FROM users WHERE username = name)
	    AND revoked_at IS NULL;
END $$;

-- A session of another issuer is not ours to end.
CREATE FUNCTION check_session(wanted bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF wanted = 0 THEN
		PERFORM refuse(409, 'this token was not issued here; log out '
		    'at the identity provider');
	END IF;
END $$;
