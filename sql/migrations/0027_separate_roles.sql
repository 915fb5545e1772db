-- Who owns the database migrates it; who serves has the rows it needs and can
-- make, change or drop no table; who archives may besides drop a month, by the
-- functions that look whether its files are proven. All that runs with the
-- owner's rights finds names in public alone, where only the owner can make
-- any.

DO $$
DECLARE
	wanted text;
BEGIN
	FOREACH wanted IN ARRAY '{penstock_serve, penstock_archive}'::text[]
	LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles
		    WHERE rolname = wanted);
		EXECUTE format('CREATE ROLE %I LOGIN', wanted);
	END LOOP;
EXCEPTION
WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'there are no roles penstock_serve and '
	    'penstock_archive, and % may not make them', current_user
	    USING HINT = 'As a superuser: CREATE ROLE penstock_serve LOGIN; '
	    'CREATE ROLE penstock_archive LOGIN';
WHEN duplicate_object OR unique_violation THEN
	NULL; -- another database of this server made them at this moment
END $$;

DO $$
BEGIN
	EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC',
	    current_database());
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO penstock_serve, penstock_archive;

-- Tables and functions of later migrations, which narrow it where they must.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO penstock_serve;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO penstock_serve;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES
    GRANT EXECUTE ON FUNCTIONS TO penstock_serve, penstock_archive;

GRANT SELECT (version) ON schema_migrations TO penstock_serve;

-- Hashes of passwords, and what logging in is counted by, are for functions.
GRANT SELECT (id, username, role, zone_ids, created_at, disabled_at,
    password_changed_at, change) ON users TO penstock_serve;
GRANT SELECT (id, user_id, created_at, refreshed_at, expires_at, idle_until,
    access_until, revoked_at, revoked_why, change)
    ON sessions TO penstock_serve;

-- What is served, beside reading: i insert, u update, d delete. What is not
-- named here is served whole, as what is made from now on; its privileges
-- are narrowed by who makes it.
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.relname AS name, coalesce(v.may,
	    CASE c.relkind WHEN 'S' THEN 'S' WHEN 'v' THEN '' ELSE 'iud' END)
	        AS may
	    FROM pg_class c LEFT JOIN (VALUES
	    ('anomalies', 'iu'), ('api_key_uses', 'iu'), ('api_keys', 'iu'),
	    ('archive_files', ''), ('archive_runs', ''), ('archives', ''),
	    ('audit', ''), ('commands', 'iu'), ('decisions', ''),
	    ('gateway_breakers', 'iu'), ('gateways', 'iu'),
	    ('hot_epoch', 'u'), ('idempotency', 'iud'),
	    ('import_marks', 'iu'), ('import_parts', 'iud'),
	    ('imports', 'iu'), ('ingest_log', 'id'),
	    ('ingest_log_aside', 'i'), ('instances', 'id'),
	    ('links', 'iud'), ('loop_status', 'u'), ('meter_events', 'iu'),
	    ('metrics', ''), ('nodes', 'iu'), ('plan_templates', 'iu'),
	    ('plans', 'iu'), ('quality_flags', 'iu'), ('readings', ''),
	    ('retention_classes', ''), ('rollups', ''),
	    ('rollups_fresh', 'iud'), ('rollups_open', 'iud'),
	    ('rollups_open_wide', ''), ('rollups_packed', 'id'),
	    ('segment_spans', 'iu'), ('segments', 'id'), ('series', 'iu'),
	    ('series_latest', 'iu'), ('series_states', 'iu'),
	    ('shards', ''), ('template_actions', 'id'),
	    ('thresholds', 'iud'), ('transitions', 'i'), ('units', ''),
	    ('zones', 'i'),
	    ('archive_home', NULL), ('audit_pending', NULL),
	    ('login_buckets', NULL), ('login_limits', NULL),
	    ('login_places', NULL), ('login_use_seq', NULL),
	    ('schema_migrations', NULL), ('sessions', NULL), ('users', NULL)
	    ) AS v(name, may) ON v.name = c.relname
	    WHERE c.relnamespace = 'public'::regnamespace
	        AND c.relkind IN ('r', 'p', 'v', 'S')
	        AND NOT c.relispartition
	        AND (v.name IS NULL OR v.may IS NOT NULL)
	        AND NOT EXISTS (SELECT FROM pg_depend d -- an identity's
	            WHERE d.objid = c.oid AND d.deptype = 'i'
	            AND c.relkind = 'S')
	LOOP
		EXECUTE format('GRANT SELECT%s%s%s%s ON %I TO penstock_serve',
		    CASE WHEN t.may = 'S' THEN ', USAGE' END,
		    CASE WHEN t.may ~ 'i' THEN ', INSERT' END,
		    CASE WHEN t.may ~ 'u' THEN ', UPDATE' END,
		    CASE WHEN t.may ~ 'd' THEN ', DELETE' END, t.name);
	END LOOP;
END $$;

GRANT SELECT ON archive_files, archive_home, archive_runs, archives, metrics,
    nodes, retention_classes, rollups_fresh, rollups_open, rollups_open_wide,
    rollups_packed, segments, series TO penstock_archive;
GRANT INSERT ON archive_files TO penstock_archive;
GRANT INSERT, UPDATE, DELETE ON archive_runs TO penstock_archive;
GRANT SELECT, INSERT, UPDATE ON segment_spans TO penstock_archive;

-- As before; who archives fills the table.
CREATE OR REPLACE FUNCTION archive_restore_begin(wanted int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a archives;
BEGIN
	SELECT * INTO a FROM archives WHERE id = wanted FOR UPDATE;
	IF a.state NOT IN ('dropped', 'restoring') THEN
		PERFORM refuse(409, format('archive %s is %s, not dropped',
		    a.id, a.state));
	END IF;
	UPDATE archives SET state = 'restoring' WHERE id = wanted;
	DROP TABLE IF EXISTS segments_restored;
	CREATE TABLE segments_restored (LIKE segments INCLUDING ALL);
	GRANT INSERT ON segments_restored TO penstock_archive;
	-- Spares the attaching a look at every row.
	EXECUTE format('ALTER TABLE segments_restored ADD CONSTRAINT span '
	    'CHECK (class = %L::int2 AND t0 >= %L AND t0 < %L)', a.class,
	    CASE WHEN a.to_ts = '1990-01-01 00:00:00+00' THEN '-infinity'
	    ELSE a.from_ts END, a.to_ts);
END $$;

-- Of users a page by name, at most `most`, after that name.
CREATE FUNCTION user_page(most int, after text) RETURNS text
LANGUAGE sql STABLE AS $$
	WITH page AS (
		SELECT u, username, row_number() OVER (ORDER BY username) AS i
		FROM users u WHERE after IS NULL OR username > after
		ORDER BY username LIMIT most + 1
	)
	SELECT json_build_object('items', coalesce(json_agg(user_json(u)
	    ORDER BY i) FILTER (WHERE i <= most), '[]'),
	    'next', CASE WHEN count(*) > most
	        THEN max(username) FILTER (WHERE i = most) END)::text
	FROM page
$$;

CREATE FUNCTION user_shown(wanted text, OUT body json, OUT etag text)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
	SELECT user_json(u), etag(u.change) FROM users u WHERE username = wanted
$$;

-- What runs with the owner's rights, and for whom; the last is a trigger.
DO $$
DECLARE
	f record;
BEGIN
	FOR f IN SELECT p.oid::regprocedure AS name, v.whom FROM (VALUES
	    ('segments_ensure', 'penstock_serve'),
	    ('segments_rewrite', 'penstock_serve'),
	    ('audit_refuse', 'penstock_serve'),
	    ('retention_put', 'penstock_serve'),
	    ('check_zones', 'penstock_serve'),
	    ('login_begin', 'penstock_serve'),
	    ('login_done', 'penstock_serve'),
	    ('session_begin', 'penstock_serve'),
	    ('session_refresh', 'penstock_serve'),
	    ('session_end', 'penstock_serve'),
	    ('session_end_all', 'penstock_serve'),
	    ('user_create', 'penstock_serve'),
	    ('user_change', 'penstock_serve'),
	    ('user_set_password', 'penstock_serve'),
	    ('user_page', 'penstock_serve'),
	    ('user_shown', 'penstock_serve'),
	    ('archive_partitions', 'penstock_archive'),
	    ('archive_begin', 'penstock_archive'),
	    ('archive_seal', 'penstock_archive'),
	    ('archive_drop', 'penstock_archive'),
	    ('archive_restore_begin', 'penstock_archive'),
	    ('archive_restore_end', 'penstock_archive'),
	    ('archive_touch', NULL)
	    ) AS v(name, whom)
	    RIGHT JOIN pg_proc p ON p.proname = v.name
	    WHERE p.pronamespace = 'public'::regnamespace
	        AND (v.name IS NOT NULL OR p.prosecdef)
	LOOP
		EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER '
		    'SET search_path = public, pg_temp', f.name);
		EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, '
		    'penstock_serve, penstock_archive', f.name);
		IF f.whom IS NOT NULL THEN
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I',
			    f.name, f.whom);
		END IF;
	END LOOP;
END $$;

-- Only an owner can vacuum the log: autovacuum does, and at once.
ALTER TABLE ingest_log SET (autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_cost_delay = 0);
