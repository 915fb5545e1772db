"""Sessions: begun, refreshed, ended, and what a change of the user does."""
import hashlib
import json
import threading

import psycopg2
import pytest

from scratch import Database, Refused

HASH = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA"
LIFE, IDLE, ACCESS = "3600", "600", "900"


def sha(text):
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def anna(db):
    db.sql("INSERT INTO users (username, password_hash, role)"
           " VALUES ('anna', %s, 'operator'), ('bo', %s, 'admin'),"
           " ('eva', %s, 'admin')", HASH, HASH, HASH)
    return db


def begin(db, handle="h", name="anna", life=LIFE, idle=IDLE, hash=HASH):
    rows = db.run("session_begin", name, hash, sha(handle), sha(handle + "1"),
                  life, idle, ACCESS)
    return rows[0] if rows else None


def refresh(db, handle, old, new):
    return db.run("session_refresh", sha(handle), sha(handle + old),
                  sha(handle + new), IDLE, ACCESS)[0]


def revoked(db, change=0):
    return [row[0] for row in db.run("registry_revoked", str(change))]


def why(db, session):
    return db.sql("SELECT revoked_why FROM sessions WHERE id = %s",
                  session)[0][0]


def test_begun_and_refreshed(anna):
    verdict, session, name, role, lives = begin(anna)
    assert (verdict, name, role) == ("ok", "anna", "operator")
    assert 590 <= lives <= 600  # idle comes first
    assert refresh(anna, "h", "1", "2")[:4] == (
        "ok", session, "anna", "operator")
    assert refresh(anna, "h", "2", "3")[0] == "ok"
    assert refresh(anna, "x", "1", "2")[0] == "unknown"
    assert revoked(anna) == []


def test_the_password_changed_while_it_was_checked(anna):
    assert begin(anna, hash="another") is None
    assert begin(anna, name="nobody") is None
    anna.sql("UPDATE users SET disabled_at = now() WHERE username = 'anna'")
    assert begin(anna) is None


@pytest.mark.parametrize("old", ["1", "0"])
def test_a_spent_one_is_told_and_ends_all(anna, old):
    session = begin(anna)[1]
    refresh(anna, "h", "1", "2")
    assert refresh(anna, "h", old, "3")[:2] == ("spent", session)
    # Nothing has happened yet: the caller ends it.
    assert revoked(anna) == []
    anna.run("session_reused", str(session))
    assert revoked(anna) == [session]
    assert why(anna, session) == "refresh token reused"
    assert refresh(anna, "h", "2", "3")[0] == "over"


def test_its_ages(anna):
    begin(anna, life="100", idle="600")
    assert begin(anna, "g", life="100", idle="600")[4] <= 100
    begin(anna, "i", idle="600")
    # The life is absolute: a refresh does not make it longer.
    assert refresh(anna, "g", "1", "2")[4] <= 100
    anna.sql("UPDATE sessions SET expires_at = now(), idle_until = now()"
             " + interval '1 h' WHERE handle_sha256 = %s", sha("h"))
    anna.sql("UPDATE sessions SET idle_until = now()"
             " WHERE handle_sha256 = %s", sha("i"))
    assert refresh(anna, "h", "1", "2")[0] == "over"
    assert refresh(anna, "i", "1", "2")[0] == "over"
    # Spent is told even then: somebody else has it.
    assert refresh(anna, "i", "0", "2")[0] == "spent"


def test_log_out_of_one_or_of_all(anna):
    a, b, c = begin(anna, "a")[1], begin(anna, "b")[1], begin(anna, "c")[1]
    other = begin(anna, "o", name="bo")[1]
    assert anna.body("session_end", str(a)) is None
    assert anna.body("session_end", str(a)) is None  # again: no error
    assert revoked(anna) == [a]
    assert anna.body("session_end_all", "anna", str(b)) is None
    assert sorted(revoked(anna)) == [a, b, c]
    assert why(anna, a) == "logged out"
    assert why(anna, c) == "logged out everywhere"
    assert refresh(anna, "o", "1", "2")[:2] == ("ok", other)
    for args in (("session_end", "0"), ("session_end_all", "anna", "0")):
        with pytest.raises(Refused) as refused:
            anna.run(*args)
        assert refused.value.args[0] == 409


@pytest.mark.parametrize("change", [
    "UPDATE users SET role = 'viewer' WHERE username = 'anna'",
    "UPDATE users SET password_hash = 'x' WHERE username = 'anna'",
    "UPDATE users SET disabled_at = now() WHERE username = 'anna'",
])
def test_a_changed_user_has_no_sessions(anna, change):
    session, other = begin(anna)[1], begin(anna, "o", name="bo")[1]
    anna.sql("UPDATE users SET role = role, disabled_at = NULL")
    assert revoked(anna) == []
    anna.sql(change)
    assert revoked(anna) == [session]
    assert why(anna, session) == "user changed"
    assert refresh(anna, "h", "1", "2")[0] == "over"
    assert refresh(anna, "o", "1", "2")[:2] == ("ok", other)


def test_what_workers_are_told(anna):
    a, b = begin(anna, "a")[1], begin(anna, "b")[1]
    anna.run("session_end", str(a))
    (first, until, change, before), = anna.run("registry_revoked", "0")
    now = anna.sql("SELECT (extract(epoch FROM now()) * 1e6)::int8")[0][0]
    assert first == a and until == now + (900 + 300) * 1000000
    assert before == 0  # whenever a token of it began
    anna.run("session_end", str(b))
    assert revoked(anna, change) == [b]
    # Once its last access token is over nobody needs to know.
    anna.sql("UPDATE sessions SET access_until = now() WHERE id = %s", a)
    assert revoked(anna) == [b]


def test_what_is_over_goes_in_time(anna):
    old = [begin(anna, f"s{i}")[1] for i in range(4)]
    anna.run("session_end", str(old[0]))
    anna.sql("UPDATE sessions SET idle_until = now() - interval '1 s'"
             " WHERE id = %s", old[1])
    begin(anna, "n1")
    count = "SELECT count(*) FROM sessions WHERE id = ANY (%s)"
    assert anna.sql(count, old)[0][0] == 4  # access tokens may live
    anna.sql("UPDATE sessions SET access_until = now() - interval '1 s'")
    begin(anna, "n2")
    assert anna.sql(count, old)[0][0] == 2


def test_a_user_has_a_hundred_at_most(anna):
    for i in range(103):
        begin(anna, f"s{i}")
        anna.sql("UPDATE sessions SET refreshed_at = now() - interval '1 h'"
                 " + id * interval '1 ms' WHERE handle_sha256 = %s",
                 sha(f"s{i}"))
    begin(anna, "last")
    live = [refresh(anna, f"s{i}", "1", "2")[0] == "ok" for i in range(103)]
    assert live == [False] * 4 + [True] * 99
    assert refresh(anna, "last", "1", "2")[0] == "ok"


# Two sessions of the database at once; committed, and taken away again.

@pytest.fixture
def committed(conninfo):
    made = []

    def connect():
        connection = psycopg2.connect(conninfo)
        made.append(connection)
        return Database(connection)

    first = connect()
    first.sql("INSERT INTO users (username, password_hash, role)"
              " VALUES ('race', %s, 'viewer')", HASH)
    first.connection.commit()
    yield connect
    for connection in made:
        connection.rollback()
    first.sql("DELETE FROM sessions WHERE user_id ="
              " (SELECT id FROM users WHERE username = 'race')")
    first.sql("DELETE FROM users WHERE username = 'race'")
    first.connection.commit()
    for connection in made:
        connection.close()


def waits(watcher, pid):
    rows = watcher.sql("SELECT wait_event_type = 'Lock' FROM pg_stat_activity"
                       " WHERE pid = %s", pid)
    watcher.connection.rollback()
    return bool(rows and rows[0][0])


def meanwhile(watcher, db, what):
    """Runs `what` on a thread; returns once it waits for a lock."""
    pid = db.connection.get_backend_pid()
    thread = threading.Thread(target=what)
    thread.start()
    for _ in range(200):
        if waits(watcher, pid) or not thread.is_alive():
            break
        thread.join(0.05)
    assert thread.is_alive(), "it did not wait"
    return thread


def test_a_log_in_while_the_user_is_disabled(committed):
    log_in, admin, watcher = committed(), committed(), committed()
    session = begin(log_in, "race", name="race")[1]

    def disable():
        admin.sql("UPDATE users SET disabled_at = now()"
                  " WHERE username = 'race'")
        admin.connection.commit()

    thread = meanwhile(watcher, admin, disable)
    log_in.connection.commit()
    thread.join(20)
    # It had begun before the change, so the change has ended it.
    assert revoked(watcher) == [session]
    watcher.connection.rollback()
    # And the other way round: no session begins.
    admin.sql("UPDATE users SET disabled_at = NULL WHERE username = 'race'")
    admin.connection.commit()
    admin.sql("UPDATE users SET disabled_at = now() WHERE username = 'race'")
    found = []
    thread = meanwhile(watcher, log_in, lambda: found.append(
        begin(log_in, "race2", name="race")))
    admin.connection.commit()
    thread.join(20)
    assert found == [None]


def test_two_use_one_refresh_token_at_once(committed):
    a, b, watcher = committed(), committed(), committed()
    begin(a, "race", name="race")
    a.connection.commit()
    assert refresh(a, "race", "1", "2")[0] == "ok"
    found = []
    thread = meanwhile(watcher, b, lambda: found.append(
        refresh(b, "race", "1", "3")[0]))
    a.connection.commit()
    thread.join(20)
    assert found == ["spent"]




def end_foreign(db, **body):
    return db.body("revocations_create",
                   json.dumps({"reason": "stolen", **body}), "eva")


def test_foreign_tokens_are_ended_by_holder_or_name(anna):
    db = anna
    now = db.sql("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0]
    session = begin(db)[1]
    db.run("session_end", str(session))
    one = end_foreign(db, principal="idp:u-1")
    two = end_foreign(db, jti="t-1")
    assert (one["principal"], one["jti"], one["reason"],
            one["created_by"]) == ("idp:u-1", None, "stolen", "eva")
    assert (two["principal"], two["jti"]) == (None, "t-1")
    rows = db.run("registry_revoked", "0")
    # As tests/unit/auth/test_session.c has them.
    assert [r[0] for r in rows] == [
        session, -3318206117868394947, -8072012157011020495]
    assert [r[2] for r in rows] == sorted(r[2] for r in rows)
    assert rows[0][3] == rows[2][3] == 0  # whenever it began
    assert 29 < rows[1][3] / 1e6 - now < 90
    day = 86400 + 300
    assert all(day - 1 < r[1] / 1e6 - now < day + 60 for r in rows[1:])
    assert db.run("registry_revoked", str(rows[1][2])) == rows[2:]
    listed = db.body("revocations_list", "1", None)
    assert [i["id"] for i in listed["items"]] == [two["id"]]
    rest = db.body("revocations_list", "9", listed["next"])
    assert rest == {"items": [one], "next": None}


@pytest.mark.parametrize("body, pointer", [
    ({}, ""), ({"principal": "idp:a", "jti": "b"}, ""),
    ({"principal": "anna"}, "/principal"),
    ({"principal": "idp:"}, "/principal"),
    ({"principal": "key:abc"}, "/principal")])
def test_what_ends_nothing_is_refused(anna, body, pointer):
    with pytest.raises(Refused) as refused:
        end_foreign(anna, **body)
    assert (refused.value.args[0], refused.value.args[2]) == (422, pointer)


def test_what_ended_long_ago_is_forgotten(anna):
    db = anna
    end_foreign(db, jti="old")
    db.sql("ALTER TABLE revocations DISABLE TRIGGER USER;"
           " UPDATE revocations SET until = now() - interval '1 s';"
           " ALTER TABLE revocations ENABLE TRIGGER USER")
    assert revoked(db) == []
    assert db.body("revocations_list", "9", None)["items"] == []
    new = end_foreign(db, jti="new")
    assert db.sql("SELECT id FROM revocations") == [(new["id"],)]
