-- Shared by all later tables: one counter of changes to what the loop and the
-- workers know, and the notification that tells them.

CREATE SEQUENCE change_seq;

-- Changes of knowledge are serialised by this lock, so that a reader who has
-- seen change n has seen every change below n.
CREATE FUNCTION change_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(7305804402);
	NEW.change := nextval('change_seq');
	PERFORM pg_notify('penstock_change', TG_TABLE_NAME);
	RETURN NEW;
END $$;

-- RFC 3339 in UTC, microseconds only where there are any.
CREATE FUNCTION rfc3339(t timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
	SELECT to_char(t AT TIME ZONE 'UTC',
	    CASE WHEN date_trunc('second', t) = t
	    THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
	    ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)
$$;

-- What the API reports as a problem: SQLSTATE 'PS' + HTTP status, the detail
-- as message, the JSON pointer as hint.
CREATE FUNCTION refuse(status int, detail text, pointer text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'PS' || status, MESSAGE = detail,
	    HINT = pointer;
END $$;
