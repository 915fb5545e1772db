CREATE TABLE users (
	id            int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	username      text NOT NULL CONSTRAINT users_username_key UNIQUE
	    CHECK (username ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
	password_hash text NOT NULL,
	role          text NOT NULL
	    CHECK (role IN ('viewer', 'operator', 'engineer', 'admin')),
	created_at    timestamptz NOT NULL DEFAULT now(),
	disabled_at   timestamptz
);

-- A key is "pk_" + id + "_" + secret; only SHA-256 of the secret is kept.
-- The secret has 256 random bits, so a slow hash would add nothing.
CREATE TABLE api_keys (
	id            text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9]{16}$'),
	name          text NOT NULL,
	secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
	role          text NOT NULL DEFAULT 'device' CHECK (role = 'device'),
	created_by    text NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT now(),
	revoked_at    timestamptz,
	change        bigint NOT NULL
);
CREATE TRIGGER api_keys_change BEFORE INSERT OR UPDATE ON api_keys
	FOR EACH ROW EXECUTE FUNCTION change_stamp();
CREATE INDEX api_keys_change_idx ON api_keys (change);
