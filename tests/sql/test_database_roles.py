"""What the roles that serve and archive may do to the database, and what not:
each statement of theirs, and none of the rest."""
import os
import pathlib
import secrets
import shutil
import subprocess

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from scratch import (ROOT, STATEMENTS, Database, parameters, prepare,
                     role_of)
from support.service import wait_for

NAMES = sorted(path.stem for path in STATEMENTS.glob("*.sql"))
ROLES = ("penstock_serve", "penstock_archive")
MIGRATE = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"),
                       "src/cmd/penstock-migrate")


def migrate(conninfo, folder=ROOT / "sql/migrations"):
    done = subprocess.run([MIGRATE, "--dir", folder], capture_output=True,
                          text=True, timeout=60,
                          env={**os.environ, "PENSTOCK_MIGRATE_URL": conninfo})
    assert done.returncode == 0, done.stdout + done.stderr


def connect(conninfo, **other):
    connection = psycopg2.connect(conninfo, **other)
    connection.autocommit = True
    return connection


def ask(connection, text, *args):
    with connection.cursor() as cursor:
        cursor.execute(text, args or None)
        return cursor.fetchall() if cursor.description else None


@pytest.mark.parametrize("name", NAMES)
def test_its_role_may_run_it(db, name):
    """The executor looks at all tables and functions of a plan before it runs
    or explains it."""
    db.sql(prepare(name))
    db.sql(f"SET LOCAL ROLE {role_of(name)}")
    nulls = ", ".join(["NULL"] * parameters(name))
    db.sql(f"EXPLAIN EXECUTE test_{name}" + (f"({nulls})" if nulls else ""))


BOTH = (
    "CREATE TABLE t (x int)", "CREATE TEMP TABLE t (x int)",
    "CREATE VIEW v AS SELECT 1", "CREATE FUNCTION f() RETURNS int LANGUAGE "
    "sql AS 'SELECT 1'", "CREATE SCHEMA s", "CREATE ROLE r", "CREATE DATABASE d",
    "CREATE EXTENSION file_fdw", "DROP TABLE ingest_log",
    "ALTER TABLE segments DETACH PARTITION segments_1_old",
    "ALTER TABLE users ADD x int", "DROP VIEW readings",
    "CREATE TRIGGER t AFTER INSERT ON nodes EXECUTE FUNCTION audit_keep()",
    "TRUNCATE ingest_log", "TRUNCATE segments",
    "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TRIGGER audit_keep ON audit",
    "INSERT INTO audit SELECT * FROM audit", "UPDATE audit SET actor = 'x'",
    "DELETE FROM audit", "TRUNCATE audit", "SELECT FROM audit_pending",
    "DELETE FROM audit_pending", "SELECT audit_add('users', 'update', '{}', "
    "'{}')", "SELECT audit_write(pg_current_xact_id())",
    "ALTER TABLE nodes DISABLE TRIGGER audit_put",
    "SET session_replication_role = replica",
    "SELECT password_hash FROM users", "SELECT * FROM users",
    "SELECT u FROM users u", "SELECT secret_sha256 FROM sessions",
    "SELECT * FROM login_buckets", "DELETE FROM revocations",
    "INSERT INTO revocations (jti) VALUES ('x')", "UPDATE users SET role = 'admin'",
    "INSERT INTO users (username, password_hash, role) VALUES ('x', 'x', "
    "'admin')", "DELETE FROM users", "UPDATE sessions SET revoked_at = NULL",
    "DELETE FROM nodes", "DELETE FROM transitions", "UPDATE metrics SET kind "
    "= 'x'", "UPDATE retention_classes SET keep_days = 1",
    "UPDATE archives SET state = 'verified'",
    "INSERT INTO schema_migrations VALUES (9999, 'x', 'x')",
    "UPDATE schema_migrations SET sha256 = ''", "DELETE FROM schema_migrations",
    "SELECT sha256 FROM schema_migrations", "SELECT shards_set(2)",
    "SET ROLE penstock", "SET SESSION AUTHORIZATION penstock",
    "ALTER ROLE penstock_serve SUPERUSER",
    "GRANT penstock TO penstock_serve", "GRANT SELECT ON users TO PUBLIC",
    "COPY (SELECT 1) TO PROGRAM 'true'", "COPY units FROM '/etc/passwd'",
    "COPY (SELECT 1) TO '/tmp/penstock-roles'",
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')", "ALTER SYSTEM SET fsync = off",
    "SELECT pg_reload_conf()", "SELECT rolpassword FROM pg_authid",
    "LOAD 'x'",
)
ALONE = {
    "penstock_serve": (
        "INSERT INTO archive_files SELECT * FROM archive_files",
        "DELETE FROM archive_files", "UPDATE archive_runs SET error = NULL",
        "SELECT archive_begin(1::int2, now())", "SELECT archive_seal(1)",
        "SELECT archive_drop(1)", "SELECT archive_restore_begin(1)",
        "SELECT archive_restore_end(1)", "SELECT archive_partitions()",
        "DELETE FROM audit_pending"),
    "penstock_archive": (
        "SELECT FROM audit", "SELECT username FROM users",
        "SELECT FROM api_keys", "SELECT FROM sessions", "SELECT FROM gateways",
        "SELECT FROM plans", "SELECT FROM revocations",
        "SELECT revocation_create('{}', 'x')",
        "INSERT INTO ingest_log (series) VALUES ('{}')",
        "DELETE FROM ingest_log", "DELETE FROM segments",
        "INSERT INTO segments SELECT * FROM segments",
        "UPDATE plans SET state = 'approved'", "SELECT audit_refuse('[]')",
        "SELECT user_create('{}', 'x')", "SELECT segments_ensure(1::int2, "
        "now())", "SELECT segments_make(1::int2, now())",
        "SELECT session_end(1, 'logged out')",
        "SELECT login_begin('admin', NULL, 5)"),
}


@pytest.mark.parametrize("role,statement", [
    (role, statement) for role in ROLES for statement in BOTH + ALONE[role]])
def test_is_refused(conninfo, role, statement):
    """As the role itself: SET ROLE from a superuser could be undone."""
    connection = connect(conninfo, user=role)
    try:
        with pytest.raises((psycopg2.errors.InsufficientPrivilege,
                            psycopg2.errors.UndefinedFile)) as refused:
            ask(connection, statement)
        # A library that is not there is looked for where they may be.
        assert refused.type is psycopg2.errors.InsufficientPrivilege \
            or statement == "LOAD 'x'", refused.value
    finally:
        connection.close()


@pytest.mark.parametrize("role", ROLES)
def test_a_vacuum_passes_over_what_is_not_its_own(conninfo, role):
    connection = connect(conninfo, user=role)
    ask(connection, "VACUUM (FULL) ingest_log")
    assert any("only table or database owner" in n
               for n in connection.notices), connection.notices
    connection.close()


def test_the_roles_are_nothing_more(db):
    assert db.sql("""SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)
        AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication
        OR rolbypassrls) ORDER BY 1""", list(ROLES)) == [
            ("penstock_archive",), ("penstock_serve",)]
    assert db.sql("""SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r
        ON r.oid = m.member WHERE r.rolname = ANY (%s)""", list(ROLES)) == []
    assert db.sql("""SELECT relname FROM pg_class c
        JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = ANY (%s)""",
        list(ROLES)) == []


def test_what_runs_as_the_owner_is_bound(db):
    """Names are found where only the owner can make any, and not everybody
    may call it."""
    rows = db.sql("""SELECT p.oid::regprocedure::text, p.proconfig,
        has_function_privilege('public', p.oid, 'EXECUTE')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND n.nspname = 'public'""")
    assert len(rows) > 20
    for name, settings, everybody in rows:
        assert "search_path=public, pg_temp" in (settings or []), name
        assert not everybody, name
    assert db.sql("SELECT has_schema_privilege('public', 'public', 'CREATE')"
                  ) == [(False,)]


def test_a_new_table_is_served(db):
    db.sql("CREATE TABLE brought (id bigint GENERATED ALWAYS AS IDENTITY, "
           "x int)")
    db.sql("CREATE FUNCTION brought() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    db.sql("SET LOCAL ROLE penstock_serve")
    db.sql("INSERT INTO brought (x) VALUES (1)")
    db.sql("UPDATE brought SET x = brought()")
    assert db.sql("DELETE FROM brought RETURNING x") == [(1,)]


@pytest.fixture
def plain_owner(empty_database):
    """That database owned by a role that is no superuser."""
    name = "penstock_test_" + secrets.token_hex(6)
    admin = connect(os.environ["PENSTOCK_TEST_SERVER"])
    dbname = psycopg2.extensions.parse_dsn(empty_database)["dbname"]
    ask(admin, f"CREATE ROLE {name} LOGIN; ALTER DATABASE {dbname} "
        f"OWNER TO {name}")
    yield psycopg2.extensions.make_dsn(empty_database, user=name)
    ask(admin, f"ALTER DATABASE {dbname} OWNER TO penstock")
    inside = connect(empty_database)
    ask(inside, f"DROP OWNED BY {name} CASCADE")
    inside.close()
    ask(admin, f"DROP ROLE {name}")
    admin.close()


def test_an_owner_need_not_be_a_superuser(plain_owner):
    migrate(plain_owner)
    served = psycopg2.connect(plain_owner, user="penstock_serve")
    db = Database(served)
    db.sql("SELECT segments_ensure(1::int2, '2031-05-05')")
    db.sql("INSERT INTO segments VALUES (1, 1, '2031-05-05', '2031-05-05', 1,"
           " '\\x')")
    assert db.sql("SELECT segments_rewrite('2031-05-01')") == [(True,)]
    db.sql("SELECT user_create('{\"username\": \"ann\", \"role\": \"viewer\"}'"
           ", 'hash')")
    assert [u["username"] for u in db.sql(
        "SELECT user_page(10, NULL)::json->'items'")[0][0]] == ["ann"]
    assert db.sql("SELECT password_hash FROM login_begin('ann', NULL, 5)") == [
        ("hash",)]
    served.commit()
    assert db.sql("SELECT action, outcome FROM audit") == [
        ("users.insert", "done")]
    served.close()
    archiver = connect(plain_owner, user="penstock_archive")
    (number,), = ask(archiver, "SELECT archive_begin(1::int2, '2031-05-05')")
    assert ask(archiver, "SELECT archive_seal(%s)", number) == [("verified",)]
    assert ask(archiver, "SELECT archive_drop(%s)", number) == [("dropped",)]
    ask(archiver, "SELECT archive_restore_begin(%s)", number)
    ask(archiver, "INSERT INTO segments_restored VALUES (1, 1, '2031-05-05', "
        "'2031-05-05', 1, '\\x')")
    ask(archiver, "SELECT archive_restore_end(%s)", number)
    assert ask(archiver, "SELECT count(*) FROM segments") == [(1,)]
    archiver.close()


def test_a_database_of_one_role_is_brought_along(empty_database, tmp_path):
    """Partitions and rows of before are served after."""
    for path in sorted((ROOT / "sql/migrations").iterdir()):
        if path.stem.endswith("_separate_roles"):
            break
        shutil.copy(path, tmp_path)
    migrate(empty_database, tmp_path)
    owner = connect(empty_database)
    ask(owner, "SELECT segments_ensure(1::int2, '2031-05-05')")
    ask(owner, "INSERT INTO segments VALUES (1, 1, '2031-05-05', "
        "'2031-05-05', 1, '\\x')")
    migrate(empty_database)
    served = connect(empty_database, user="penstock_serve")
    assert ask(served, "DELETE FROM segments RETURNING series") == [(1,)]
    served.close()
    owner.close()


def test_the_log_is_vacuumed_though_its_writer_may_not(empty_database):
    migrate(empty_database)
    served = connect(empty_database, user="penstock_serve")
    ask(served, "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, "
        "ts, value, quality) SELECT now(), now(), now(), '{1}', "
        "ARRAY[now()], '{1}', '{0}' FROM generate_series(1, 3000)")
    ask(served, "DELETE FROM ingest_log")
    served.close()
    owner = connect(empty_database)
    wait_for("a vacuum of the log", lambda: ask(
        owner, "SELECT 1 FROM pg_stat_user_tables WHERE relname = 'ingest_log' "
        "AND autovacuum_count > 0"), 60, 0.5)
    owner.close()
