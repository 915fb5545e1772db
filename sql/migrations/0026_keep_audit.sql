-- The record of who changed what, and of what was refused: one row per
-- transaction that changed something, written by triggers, so that neither a
-- handler nor a person in psql can forget it.
--
-- The rows are a chain. With
--	N(s) = <bytes of s in UTF-8, decimal> ':' s ','	(a netstring)
-- where NULL stands for '', the content of a row is, one behind the other,
--	N(id) N(at) N(actor) N(role) N(address) N(session) N(request_id)
--	N(action) N(target) N(outcome) N(status) N(detail) N(nodes) N(changes)
-- id, session and status in decimal; at in UTC as 2026-01-31T23:59:59.000000Z;
-- nodes joined by ','; changes as the column's text, byte for byte. Then
--	hash = SHA-256(prev || content)
-- and prev is the hash of row id - 1, or 32 zero bytes in row 1. Ids have no
-- gaps. scripts/verify-audit walks this without a function of the database.
CREATE TABLE audit (
	id         bigint PRIMARY KEY,
	at         timestamptz NOT NULL, -- in the order of ids
	-- A user, key:ID, idp:SUBJECT, loop, archive, anonymous, or db:ROLE of
	-- somebody without the service. Of a refused log-in or key: who it
	-- claimed to be, if there is such a one.
	actor      text NOT NULL,
	role       text,
	address    text,
	session    bigint,
	request_id text, -- of the loop: its connection and cycle
	action     text NOT NULL, -- route, or table.operation
	target     text,
	outcome    text NOT NULL CHECK (outcome IN ('done', 'refused')),
	status     int, -- HTTP, of what was refused
	detail     text,
	nodes      text[] NOT NULL DEFAULT '{}', -- codes, of the changes
	-- [{"table", "op", "subject", "before", "after"}]; json, not jsonb: its
	-- text stays as it was hashed.
	changes    json,
	prev       bytea NOT NULL CHECK (length(prev) = 32),
	hash       bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_at_idx ON audit (at);
CREATE INDEX audit_actor_idx ON audit (actor, id);
CREATE INDEX audit_nodes_idx ON audit USING gin (nodes);

CREATE FUNCTION audit_at(t timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

CREATE FUNCTION netstring(s text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT octet_length(convert_to(coalesce(s, ''), 'UTF8')) || ':'
	    || coalesce(s, '') || ','
$$;

CREATE FUNCTION audit_content(a audit) RETURNS bytea LANGUAGE sql STABLE AS $$
	SELECT convert_to(netstring(a.id::text) || netstring(audit_at(a.at))
	    || netstring(a.actor) || netstring(a.role) || netstring(a.address)
	    || netstring(a.session::text) || netstring(a.request_id)
	    || netstring(a.action) || netstring(a.target)
	    || netstring(a.outcome) || netstring(a.status::text)
	    || netstring(a.detail) || netstring(array_to_string(a.nodes, ','))
	    || netstring(a.changes::text), 'UTF8')
$$;

-- The lock of the chain is the last that a transaction takes: it is asked for
-- when all else is done. Each row is told of, so that its hash stands
-- elsewhere, too.
CREATE FUNCTION audit_chain() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	newest audit;
BEGIN
	PERFORM pg_advisory_xact_lock(7305804408);
	SELECT * INTO newest FROM audit ORDER BY id DESC LIMIT 1;
	NEW.id := coalesce(newest.id, 0) + 1;
	NEW.at := greatest(clock_timestamp(), newest.at);
	NEW.prev := coalesce(newest.hash, decode(repeat('00', 32), 'hex'));
	NEW.hash := sha256(NEW.prev || audit_content(NEW));
	PERFORM pg_notify('penstock_change', format('audit %s %s', NEW.id,
	    encode(NEW.hash, 'hex')));
	RETURN NEW;
END $$;
CREATE TRIGGER audit_chain BEFORE INSERT ON audit
	FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'audit is only ever added to'
	    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
	FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();
-- Also where session_replication_role passes other triggers over.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_chain;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_keep;

-- What the transactions at work have changed so far; empty between them.
CREATE UNLOGGED TABLE audit_pending (
	xid     xid8 NOT NULL,
	n       bigint GENERATED ALWAYS AS IDENTITY,
	first   boolean NOT NULL, -- of what will be one row of audit
	source  text NOT NULL,
	op      text NOT NULL,
	subject text,
	nodes   text[] NOT NULL,
	before  jsonb,
	after   jsonb
);
CREATE INDEX audit_pending_xid_idx ON audit_pending (xid);

REVOKE ALL ON audit, audit_pending FROM PUBLIC;

-- How people name that row, and the nodes it is about.
CREATE FUNCTION audit_subject(source text, r jsonb, OUT subject text,
    OUT nodes text[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
	wanted int := r->>'series_id';
BEGIN
	nodes := '{}';
	CASE source
	WHEN 'users' THEN
		subject := r->>'username';
	WHEN 'nodes' THEN
		subject := r->>'code';
		nodes := ARRAY[subject];
	WHEN 'links' THEN
		subject := r->>'code';
		nodes := ARRAY(SELECT code FROM public.nodes n
		    WHERE n.id IN ((r->>'from_node')::int,
		    (r->>'to_node')::int) ORDER BY code);
	WHEN 'zones', 'gateways', 'plan_templates', 'metrics' THEN
		subject := r->>'code';
	WHEN 'template_actions' THEN
		SELECT code || ' step ' || (r->>'step') INTO subject
		FROM plan_templates WHERE id = (r->>'template_id')::int;
	WHEN 'sessions' THEN
		SELECT username INTO subject FROM users
		WHERE id = (r->>'user_id')::int;
	WHEN 'archives' THEN
		SELECT code || ' ' || left(r->>'from_ts', 7) INTO subject
		FROM retention_classes WHERE id = (r->>'class')::int2;
	WHEN 'series' THEN
		wanted := r->>'id';
	WHEN 'plans', 'commands' THEN
		subject := r->>'id';
		SELECT a.series_id INTO wanted FROM plans p
		    JOIN anomalies a ON a.id = p.anomaly_id
		WHERE p.id = (CASE source WHEN 'plans' THEN r->>'id'
		    ELSE r->>'plan_id' END)::bigint;
	WHEN 'loop_status' THEN
		subject := 'loop';
	ELSE
		subject := r->>'id';
	END CASE;
	IF wanted IS NOT NULL THEN
		SELECT CASE WHEN source IN ('series', 'thresholds')
		    THEN n.code || '/' || m.code ELSE subject END,
		    ARRAY[n.code] INTO subject, nodes
		FROM series s JOIN public.nodes n ON n.id = s.node_id
		    JOIN metrics m ON m.id = s.metric_id
		WHERE s.id = wanted;
	END IF;
END $$;

-- One change of this transaction.
CREATE FUNCTION audit_add(source text, op text, before jsonb, after jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id xid8 := pg_current_xact_id();
	first boolean := current_setting('penstock.audit', true)
	    IS DISTINCT FROM id::text;
BEGIN
	IF first THEN
		PERFORM set_config('penstock.audit', id::text, true);
	END IF;
	INSERT INTO audit_pending (xid, first, source, op, subject, nodes,
	    before, after)
	SELECT id, first, source, op, s.subject, coalesce(s.nodes, '{}'),
	    before, after
	FROM audit_subject(source, coalesce(after, before)) s;
END $$;

-- For a trigger of each row; its arguments are the columns left out: secrets,
-- and what changes without anybody's doing.
CREATE FUNCTION audit_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	before jsonb := to_jsonb(OLD) - TG_ARGV;
	after jsonb := to_jsonb(NEW) - TG_ARGV;
BEGIN
	IF before IS DISTINCT FROM after THEN
		PERFORM audit_add(TG_TABLE_NAME, lower(TG_OP), before, after);
	END IF;
	RETURN NULL;
END $$;

-- Free text of a stranger, so that no table calculation takes it for a
-- formula.
CREATE FUNCTION audit_target(s text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT nullif(regexp_replace(regexp_replace(s,
	    '[^A-Za-z0-9_.:@/+=-]', '?', 'g'), '^([=+@-])', '?\1'), '')
$$;

-- penstock.origin says who asked for what, from where, as an object of
-- actor, role, address, session, request_id, action, target; all but actor
-- may be missing, and actor is until somebody has logged in. Whoever may set
-- it may lie, but not change what was done.
-- More than 500 changes of one transaction are more rows.
CREATE FUNCTION audit_write(wanted xid8) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	o jsonb := nullif(current_setting('penstock.origin', true), '');
BEGIN
	PERFORM set_config('penstock.audit', '', true);
	WITH gone AS (
		DELETE FROM audit_pending p WHERE p.xid = wanted RETURNING p.*
	), placed AS (
		SELECT *, (row_number() OVER (ORDER BY n) - 1) / 500 AS part
		FROM gone
	), joined AS (
		SELECT part, (array_agg(source || '.' || op ORDER BY n))[1]
		        AS what,
		    (array_agg(subject ORDER BY n))[1] AS subject,
		    (array_agg(subject ORDER BY n) FILTER (
		        WHERE source = 'sessions'
		        AND after->>'revoked_at' IS NULL))[1] AS logged_in,
		    ARRAY(SELECT DISTINCT unnest(q.nodes) FROM placed q
		        WHERE q.part = p.part ORDER BY 1) AS nodes,
		    jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
		        'table', source, 'op', op, 'subject', subject))
		        || jsonb_build_object('before', before, 'after', after)
		        ORDER BY n) AS changes
		FROM placed p GROUP BY part
	)
	INSERT INTO audit (actor, role, address, session, request_id, action,
	    target, outcome, nodes, changes)
	SELECT coalesce(o->>'actor', CASE WHEN o IS NULL
	        THEN 'db:' || session_user END, logged_in, 'anonymous'),
	    o->>'role', CASE WHEN o IS NULL THEN host(inet_client_addr())
	        ELSE o->>'address' END, (o->>'session')::bigint,
	    coalesce(o->>'request_id',
	        nullif(current_setting('application_name'), '')),
	    coalesce(o->>'action', what),
	    coalesce(audit_target(o->>'target'), subject),
	    'done', nodes, changes::text::json
	FROM joined ORDER BY part;
END $$;

CREATE FUNCTION audit_flush() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM audit_write(NEW.xid);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_flush AFTER INSERT ON audit_pending
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.first)
	EXECUTE FUNCTION audit_flush();

-- What was refused, some of it at a time: objects of origin's members and of
-- claimed (a user name), key (an id), status, detail. What was claimed is
-- kept if there is such a one: else it may be a password.
CREATE FUNCTION audit_refuse(items jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO audit (actor, role, address, session, request_id, action,
	    target, outcome, status, detail)
	SELECT coalesce(i.actor,
	    (SELECT username FROM users WHERE username = i.claimed),
	    (SELECT 'key:' || k.id FROM api_keys k WHERE k.id = i.key),
	    'anonymous'), i.role, i.address, i.session, i.request_id,
	    i.action, audit_target(i.target), 'refused', i.status, i.detail
	FROM jsonb_to_recordset(items) AS i(actor text, role text,
	    address text, session bigint, request_id text, action text,
	    target text, status int, detail text, claimed text, key text)
$$;

-- What is recorded. Not: readings and what is made of them, counters, what
-- the loop keeps for itself (its moves are in transitions, too), the last use
-- of keys, and that evidence of an anomaly grew.
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM (VALUES
	    ('zones', '', ''),
	    ('metrics', '', ''),
	    ('nodes', '', ''),
	    ('series', '', ''),
	    ('thresholds', '', ''),
	    ('links', '', ''),
	    ('gateways', '', ''),
	    ('plan_templates', '', ''),
	    ('template_actions', '', ''),
	    ('meter_events', '', ''),
	    ('quality_flags', 'checked_at', ''),
	    ('users', 'password_hash', ''),
	    ('api_keys', 'secret_sha256', ''),
	    ('imports', 'header', 'NEW.state IS DISTINCT FROM OLD.state'),
	    ('archives', 'touched', 'NEW.state IS DISTINCT FROM OLD.state'),
	    ('loop_status', 'figures cycle cycle_at instance system_state',
	        'NEW.paused IS DISTINCT FROM OLD.paused'),
	    ('anomalies', 'evidence planning planning_reasons',
	        'NEW.state IS DISTINCT FROM OLD.state OR '
	        'NEW.acked_at IS DISTINCT FROM OLD.acked_at'),
	    ('plans', 'reasons', 'NEW.state IS DISTINCT FROM OLD.state'),
	    ('commands', 'next_attempt_at',
	        'NEW.state IS DISTINCT FROM OLD.state OR '
	        'NEW.attempts IS DISTINCT FROM OLD.attempts'),
	    ('sessions', 'handle_sha256 secret_sha256',
	        'NEW.secret_sha256 IS DISTINCT FROM OLD.secret_sha256 OR '
	        'NEW.revoked_at IS DISTINCT FROM OLD.revoked_at')
	    ) AS v(name, hidden, moved)
	LOOP
		EXECUTE format('CREATE TRIGGER audit_put AFTER INSERT%s ON %I
		    FOR EACH ROW EXECUTE FUNCTION audit_note(%s)',
		    -- What is over is tidied away.
		    CASE WHEN t.name <> 'sessions' THEN ' OR DELETE' END,
		    t.name, (SELECT string_agg(quote_literal(w), ', ')
		    FROM regexp_split_to_table('change ' || t.hidden, ' ') w));
		EXECUTE format('CREATE TRIGGER audit_change AFTER UPDATE ON %I
		    FOR EACH ROW WHEN (%s) EXECUTE FUNCTION audit_note(%s)',
		    t.name, coalesce(nullif(t.moved, ''),
		    'NEW.* IS DISTINCT FROM OLD.*'),
		    (SELECT string_agg(quote_literal(w), ', ')
		    FROM regexp_split_to_table('change ' || t.hidden, ' ') w));
	END LOOP;
END $$;

-- Not by a trigger: with Citus every node has this table, and would have one.
CREATE FUNCTION retention_put(class text, body jsonb) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	was retention_classes;
	c retention_classes;
BEGIN
	PERFORM change_begin();
	IF NOT body ? 'keep_days' THEN
		PERFORM refuse(422, 'keep_days is missing: a number of days, '
		    'or null for ever', '/keep_days');
	END IF;
	SELECT * INTO was FROM retention_classes WHERE code = class FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	UPDATE retention_classes SET keep_days = (body->>'keep_days')::int
	WHERE code = class RETURNING * INTO c;
	IF c.keep_days IS DISTINCT FROM was.keep_days THEN
		PERFORM audit_add('retention_classes', 'update', to_jsonb(was),
		    to_jsonb(c));
	END IF;
	RETURN retention_json(c);
END $$;

-- changes goes in as its text.
CREATE FUNCTION audit_json(a audit) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', a.id, 'at', audit_at(a.at),
	    'actor', a.actor, 'role', a.role, 'address', a.address,
	    'session', a.session, 'request_id', a.request_id,
	    'action', a.action, 'target', a.target, 'outcome', a.outcome,
	    'status', a.status, 'detail', a.detail, 'nodes', a.nodes,
	    'changes', a.changes, 'prev', encode(a.prev, 'hex'),
	    'hash', encode(a.hash, 'hex'))
$$;

-- RFC 4180; a row's columns in the order of its content, then prev and hash.
CREATE FUNCTION audit_csv(a audit) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT string_agg(CASE WHEN s ~ '[",\r\n]'
	    THEN '"' || replace(s, '"', '""') || '"' ELSE coalesce(s, '') END,
	    ',' ORDER BY i)
	FROM unnest(ARRAY[a.id::text, audit_at(a.at), a.actor, a.role,
	    a.address, a.session::text, a.request_id, a.action, a.target,
	    a.outcome, a.status::text, a.detail,
	    array_to_string(a.nodes, ','), a.changes::text,
	    encode(a.prev, 'hex'), encode(a.hash, 'hex')])
	    WITH ORDINALITY u(s, i));
END $$;
