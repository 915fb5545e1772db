"""The record of changes: what writes it, that it is only added to, and that
whoever tampers with it is found."""
import hashlib
import json
import os
import subprocess

import psycopg2
import psycopg2.errors
import pytest

from scratch import Database, ROOT

PROGRAM = os.environ.get("PENSTOCK_BUILD", str(ROOT / "build")) \
    + "/src/cmd/penstock-verify-audit"
COLUMNS = ("id", "at", "actor", "role", "address", "session", "request_id",
           "action", "target", "outcome", "status", "detail", "nodes",
           "changes")
ORIGIN = {"actor": "anna", "role": "engineer", "address": "192.0.2.7",
          "session": 5, "request_id": "r-1", "action": "nodes_create",
          "target": "=A 1"}


@pytest.fixture(scope="module")
def scratch_database(tmp_path_factory):
    """Of the module's own: what is kept here can never be deleted."""
    server = os.environ.get("PENSTOCK_TEST_SERVER")
    if not server:
        pytest.skip("PENSTOCK_TEST_SERVER is not set")
    name = "penstock_audit_" + os.urandom(6).hex()
    admin = psycopg2.connect(server)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    url = psycopg2.extensions.make_dsn(server, dbname=name)
    subprocess.run(
        [os.path.dirname(PROGRAM) + "/penstock-migrate", "--dir",
         str(ROOT / "sql/migrations")], check=True, capture_output=True,
        env={**os.environ, "PENSTOCK_DATABASE_URL": url})
    yield url
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def kept(scratch_database):
    connection = psycopg2.connect(scratch_database)
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()
    yield Database(connection)
    connection.rollback()
    connection.close()


def do(db, text, *args, origin=None):
    """One transaction, and the rows of audit that it left."""
    before = db.sql("SELECT coalesce(max(id), 0) FROM audit")[0][0]
    if origin:
        db.run("session_origin", json.dumps(origin))
    db.sql(text, *args)
    db.connection.commit()
    rows = db.sql("SELECT audit_json(a) FROM audit a WHERE id > %s"
                  " ORDER BY id", before)
    db.connection.commit()
    return [row for row, in rows]


def new_name():
    return "N" + os.urandom(4).hex()


def verify(url, *anchors):
    done = subprocess.run(
        [PROGRAM, "--database", url, "--anchors", "-"],
        input="".join(f"{i} {h}\n" for i, h in anchors), text=True,
        capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def create(db, name, origin=None):
    return do(db, "SELECT node_create(jsonb_build_object('code', %s,"
              " 'type', 'tank', 'series', '[{\"metric\": \"level\"}]'::jsonb))",
              name, origin=origin)


def test_a_change_is_one_row_with_who_what_and_where(kept):
    name = new_name()
    row, = create(kept, name, ORIGIN)
    assert {k: row[k] for k in ("actor", "role", "address", "session",
                                "request_id", "action", "outcome")} == {
        "actor": "anna", "role": "engineer", "address": "192.0.2.7",
        "session": 5, "request_id": "r-1", "action": "nodes_create",
        "outcome": "done"}
    assert row["target"] == "?=A?1"  # a formula to nobody
    assert row["nodes"] == [name]
    assert [(c["table"], c["op"], c["subject"]) for c in row["changes"]] == [
        ("nodes", "insert", name), ("series", "insert", name + "/level")]
    assert row["changes"][0]["before"] is None
    assert row["changes"][0]["after"]["type"] == "tank"

    row, = do(kept, "SELECT node_change(%s, '{\"name\": \"X\"}', NULL)", name)
    change, = row["changes"]
    assert (change["before"]["name"], change["after"]["name"]) == ("", "X")
    assert row["actor"].startswith("db:") and row["action"] == "nodes.update"


def test_what_changes_nothing_or_fails_leaves_nothing(kept):
    name = new_name()
    create(kept, name)
    assert do(kept, "SELECT node_change(%s, '{}', NULL)", name) == []
    kept.sql("SELECT node_change(%s, '{\"name\": \"Y\"}', NULL)", name)
    kept.connection.rollback()
    assert do(kept, "SELECT 1") == []
    assert kept.sql("SELECT count(*) FROM audit_pending") == [(0,)]


def test_many_changes_are_rows_of_500(kept):
    rows = do(kept, "INSERT INTO zones (code) SELECT 'z' || i || %s"
              " FROM generate_series(1, 1001) i", os.urandom(3).hex())
    assert [len(r["changes"]) for r in rows] == [500, 500, 1]


def test_a_second_flush_of_a_transaction_loses_nothing(kept):
    name = new_name()
    kept.sql("SET CONSTRAINTS ALL IMMEDIATE")
    kept.sql("INSERT INTO zones (code) VALUES (%s)", name)
    kept.sql("SET CONSTRAINTS ALL DEFERRED")
    rows = do(kept, "INSERT INTO zones (code) VALUES (%s)", name + "2")
    assert [r["target"] for r in rows] == [name, name + "2"][-len(rows):]
    assert kept.sql("SELECT count(*) FROM audit WHERE target IN (%s, %s)",
                    name, name + "2") == [(2,)]


def test_no_secret_is_kept(kept):
    name = new_name().lower()
    body = json.dumps({"username": name, "role": "viewer"})
    create_row, = do(kept, "SELECT user_create(%s, 'the-hash-1')", body)
    changed, = do(kept, "SELECT user_set_password(%s, 'the-hash-2', NULL)",
                  name)
    assert changed["changes"][0]["subject"] == name
    begun, = do(kept, "SELECT session_begin(%s, 'the-hash-2',"
                " sha256('h'), sha256('s'), 600, 600, 600)", name,
                origin={"action": "token_create"})
    assert begun["actor"] == name and begun["action"] == "token_create"
    text = json.dumps([create_row, changed, begun])
    assert "the-hash" not in text and "sha256" not in text


def test_refused_claims_are_kept_only_of_who_exists(kept):
    name = new_name().lower()
    do(kept, "SELECT user_create(%s, 'x')",
       json.dumps({"username": name, "role": "viewer"}))
    items = [{"claimed": who, "action": "token_create", "status": 401,
              "detail": "wrong", "address": "::1"}
             for who in (name, "hunter2")]
    known, unknown = do(kept, "SELECT audit_refuse(%s)", json.dumps(items))
    assert (known["actor"], known["outcome"], known["status"]) == (
        name, "refused", 401)
    assert unknown["actor"] == "anonymous"
    assert "hunter2" not in json.dumps(unknown)


@pytest.mark.parametrize("text", [
    "UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit",
    "SET session_replication_role = replica; DELETE FROM audit"])
def test_nothing_is_ever_changed_or_deleted(kept, text):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        kept.sql(text)


def test_anybody_can_compute_the_chain(kept):
    create(kept, new_name(), {**ORIGIN, "actor": "jürgen"})
    before = bytes(32)
    for row in kept.sql(
            "SELECT id::text, to_char(at AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), actor, role, address,"
            " session::text, request_id, action, target, outcome,"
            " status::text, detail, array_to_string(nodes, ','),"
            " changes::text, prev, hash FROM audit ORDER BY audit.id"):
        *content, prev, digest = row
        words = [(c or "").encode() for c in content]
        assert bytes(prev) == before
        before = hashlib.sha256(before + b"".join(
            b"%d:%s," % (len(w), w) for w in words)).digest()
        assert bytes(digest) == before


def tampered(url, *statements):
    """What verify-audit says of a record that an owner has changed."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        cursor.execute("CREATE TABLE IF NOT EXISTS saved AS"
                       " SELECT * FROM audit")
        for one in statements:
            cursor.execute(one)
    try:
        yield
    finally:
        with psycopg2.connect(url) as connection, \
                connection.cursor() as cursor:
            cursor.execute("TRUNCATE audit; INSERT INTO audit"
                           " SELECT * FROM saved; DROP TABLE saved")
            cursor.execute("ALTER TABLE audit ENABLE ALWAYS TRIGGER"
                           " audit_keep; ALTER TABLE audit"
                           " ENABLE ALWAYS TRIGGER audit_chain")


REHASH = """DO $$ DECLARE a audit; before bytea := decode(repeat('00', 32),
    'hex'); BEGIN FOR a IN SELECT * FROM audit ORDER BY id LOOP
    a.prev := before; before := sha256(before || audit_content(a));
    UPDATE audit SET prev = a.prev, hash = before WHERE id = a.id;
    END LOOP; END $$"""


@pytest.mark.parametrize("statements, said, anchored", [
    (["UPDATE audit SET actor = 'eve' WHERE id = 3"], "row 3: changed", 0),
    (["UPDATE audit SET changes = '[]' WHERE id = 4"], "row 4: changed", 0),
    (["UPDATE audit SET at = at + interval '1 us' WHERE id = 4"],
     "row 4: changed", 0),
    (["UPDATE audit SET actor = 'eve' WHERE id = 3",
      "UPDATE audit a SET hash = sha256(prev || audit_content(a))"
      " WHERE id = 3"], "row 4: does not follow row 3", 0),
    (["DELETE FROM audit WHERE id IN (3, 4)"], "rows 3 to 4: missing", 0),
    (["DELETE FROM audit WHERE id = 1"], "rows 1 to 1: missing", 0),
    (["INSERT INTO audit SELECT (jsonb_populate_record(a, '{\"id\": -1}')).*"
      " FROM audit a WHERE id = 2"], "row -1: put in", 0),
    (["UPDATE audit SET id = id + 1000000",
      "UPDATE audit SET id = id - 1000000 + (id > 1000002)::int",
      "INSERT INTO audit SELECT (jsonb_populate_record(a, '{\"id\": 3}')).*"
      " FROM audit a WHERE id = 2"], "row 3: does not follow row 2", 0),
    (["DELETE FROM audit WHERE id > 5"], "rows 6 to {newest}: missing", 1),
    (["UPDATE audit SET actor = 'eve' WHERE id = 3", REHASH],
     "row {newest}: replaced", 1),
])
def test_who_tampers_is_found(kept, scratch_database, statements, said,
                              anchored):
    while len(kept.sql("SELECT 1 FROM audit LIMIT 8")) < 8:
        create(kept, new_name())
    newest, digest = kept.sql("SELECT id, encode(hash, 'hex') FROM audit"
                              " ORDER BY id DESC LIMIT 1")[0]
    kept.connection.commit()
    rc, out = verify(scratch_database, (newest, digest))
    assert rc == 0 and f"newest {newest} {digest}" in out, out
    for _ in tampered(scratch_database, *statements):
        anchors = [(newest, digest)] if anchored else []
        rc, out = verify(scratch_database, *anchors)
        assert rc == 1 and said.format(newest=newest) in out, out
        if anchored:  # which is what anchors are for
            assert verify(scratch_database)[0] == 0
    assert verify(scratch_database, (newest, digest))[0] == 0
