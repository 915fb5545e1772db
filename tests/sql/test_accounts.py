"""Users as admins change them, and how often a password may be tried."""
import json

import pytest

from scratch import Refused

HASH = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA"
OTHER = HASH + "2"


@pytest.fixture
def empty(db):
    db.sql("DELETE FROM users")
    db.sql("DELETE FROM login_buckets")
    for zone in "north", "south":
        db.sql("INSERT INTO zones (code) VALUES (%s)"
               " ON CONFLICT (code) DO NOTHING", zone)
    return db


def create(db, name, role="operator", **more):
    return db.run("user_create", json.dumps(
        {"username": name, "role": role, **more}), HASH)[0]


def change(db, name, etag=None, **body):
    return db.run("user_change", name, json.dumps(body), etag)[0]


def refused(status, pointer=""):
    class Expect:
        def __enter__(self):
            self.raised = pytest.raises(Refused)
            self.caught = self.raised.__enter__()

        def __exit__(self, *why):
            done = self.raised.__exit__(*why)
            got = self.caught.value.args
            assert (got[0], got[2]) == (status, pointer), got
            return done
    return Expect()


def test_a_user_comes_changes_goes_and_comes_back(empty):
    db = empty
    body, etag, location = create(db, "anna", zones=["south", "north"])
    assert (body["username"], body["role"]) == ("anna", "operator")
    assert body["zones"] == ["north", "south"] and not body["disabled_at"]
    assert HASH not in str(body) and location == "/api/v1/users/anna"
    assert db.run("user_get", "anna") == [(body, etag)]
    with refused(409, "/username"):
        create(db, "anna")
    changed, newer, _ = change(db, "anna", etag, zones=["south"])
    assert changed["zones"] == ["south"] and newer != etag
    with refused(412):
        change(db, "anna", etag, role="viewer")
    assert change(db, "anna", newer)[:2] == (changed, newer)  # nothing
    assert db.run("user_disable", "anna", None) == [(None,)]
    first = db.run("user_get", "anna")[0][0]["disabled_at"]
    assert first and db.run("user_disable", "anna", None) == [(None,)]
    assert db.run("user_get", "anna")[0][0]["disabled_at"] == first
    assert change(db, "anna", disabled=False)[0]["disabled_at"] is None
    for call in (lambda: change(db, "nobody", role="viewer"),
                 lambda: db.run("user_disable", "nobody", None),
                 lambda: db.run("user_set_password", "nobody", HASH, None)):
        with refused(404):
            call()


def test_zones_are_of_operators(empty):
    db = empty
    with refused(422, "/zones/1"):
        create(db, "anna", zones=["north", "west"])
    with refused(422, "/zones"):
        create(db, "anna", "engineer", zones=["north"])
    create(db, "anna", zones=[])
    assert change(db, "anna", zones=["north", "north"])[0]["zones"] == [
        "north"]
    with refused(422, "/zones"):
        change(db, "anna", role="viewer", zones=["north"])
    assert change(db, "anna", role="engineer")[0]["zones"] is None
    assert change(db, "anna", role="operator")[0]["zones"] is None
    assert change(db, "anna", zones=[])[0]["zones"] == []
    assert change(db, "anna", zones=None)[0]["zones"] is None


def test_the_last_admin_stays_one(empty):
    db = empty
    for name in ("eva", "ugo", "pia"):
        create(db, name, "admin")
    change(db, "pia", disabled=True)
    change(db, "eva", role="viewer")
    with refused(409):
        change(db, "ugo", role="engineer")
    with refused(409):
        change(db, "ugo", disabled=True)
    with refused(409):
        db.run("user_disable", "ugo", None)
    change(db, "pia", disabled=False)
    assert change(db, "ugo", role="engineer")[0]["role"] == "engineer"


def test_a_password_is_replaced_if_it_is_the_one_that_was_checked(empty):
    db = empty
    create(db, "anna")
    assert db.run("user_set_password", "anna", OTHER, OTHER) == [(False,)]
    assert db.run("user_set_password", "anna", OTHER, HASH) == [(True,)]
    assert db.run("user_set_password", "anna", HASH, HASH) == [(False,)]
    assert db.run("user_set_password", "anna", HASH, None) == [(True,)]
    db.run("user_disable", "anna", None)
    assert db.run("user_set_password", "anna", OTHER, HASH) == [(False,)]


def begin(db, name, address="192.0.2.1", tries=3):
    """What there is to wait for, and whether the hash was given."""
    password_hash, _, wait, home = db.run(
        "login_begin", name, address, str(tries))[0]
    begin.home = home
    return wait, password_hash is not None


def done(db, name, address="192.0.2.1", password_hash=HASH):
    return db.run("login_done", name, address, password_hash,
                  "t" if begin.home else "f")


def age(db, seconds):
    db.sql("UPDATE login_buckets SET full_at = full_at - %s * interval '1 s'",
           seconds)


def test_known_and_unknown_names_wait_alike(empty):
    db = empty
    create(db, "anna")
    create(db, "ugo")
    db.run("user_disable", "ugo", None)
    for name, there in ("anna", True), ("nobody", False), ("ugo", False):
        db.sql("DELETE FROM login_buckets")
        assert [begin(db, name) for _ in range(3)] == [(0, there)] * 3
        wait, given = begin(db, name)
        assert 55 < wait <= 60 and not given
        # What is refused draws on nothing: the wait does not grow.
        assert begin(db, name)[0] <= wait
        age(db, 61)
        assert begin(db, name) == (0, there)
        assert begin(db, name)[0] > 0


def test_one_who_guesses_locks_out_nobody_elsewhere(empty):
    db = empty
    create(db, "anna")
    while begin(db, "anna", "198.51.100.7")[0] == 0:
        pass
    assert begin(db, "anna", "192.0.2.1") == (0, True)


def test_what_was_right_is_given_back(empty):
    db = empty
    create(db, "anna")
    for _ in range(2):
        begin(db, "anna")
    for _ in range(50):
        assert begin(db, "anna") == (0, True)
        assert done(db, "anna") == [("operator",)]
    assert [begin(db, "anna")[0] for _ in range(3)] == [0, 0, 0]
    assert begin(db, "anna")[0] > 0


def test_many_names_from_one_address(empty):
    db = empty
    waits = [begin(db, f"name{i}")[0] for i in range(25)]
    assert waits[:18] == [0] * 18 and 0 < max(waits[18:]) <= 5
    assert begin(db, "another", "192.0.2.2")[0] == 0
    age(db, 6)
    assert begin(db, "another")[0] == 0


def test_own_log_ins_do_not_pay_for_guessing_others(empty):
    """Who has an account cannot refill the bucket of his address with it."""
    db = empty
    create(db, "mallory")
    begin(db, "mallory")
    done(db, "mallory")
    waits = []
    for i in range(25):
        waits.append(begin(db, f"name{i}")[0])
        assert begin(db, "mallory") == (0, True)
        done(db, "mallory")
    assert max(waits) > 0


def test_many_addresses_one_account(empty):
    db = empty
    create(db, "anna")
    begin(db, "anna", "192.0.2.1")
    done(db, "anna", "192.0.2.1")
    waits = [begin(db, "anna", f"198.51.100.{i}")[0] for i in range(40)]
    assert waits[:30] == [0] * 30 and 0 < max(waits[30:]) <= 20
    # Where the user has been lately nobody elsewhere matters.
    assert begin(db, "anna", "192.0.2.1") == (0, True) and begin.home
    db.sql("UPDATE login_places SET last_at = last_at - interval '31 days'")
    assert begin(db, "anna", "192.0.2.1")[0] > 0


def test_an_ipv6_network_is_one_address(empty):
    db = empty
    for i in range(3):
        assert begin(db, "anna", f"2001:db8:1:2::{i}")[0] == 0
    assert begin(db, "anna", "2001:db8:1:2:ffff::1")[0] > 0
    assert begin(db, "anna", "2001:db8:1:3::1")[0] == 0
    for i in range(3):
        assert begin(db, "ugo", f"::ffff:192.0.2.{i}")[0] == 0
    assert begin(db, "ugo", "::ffff:192.0.2.9")[0] == 0


def test_no_address_is_one_too(empty):
    assert [begin(empty, "anna", None)[0] for _ in range(4)][:3] == [0, 0, 0]
    assert begin(empty, "anna", None)[0] > 0


def test_places_and_buckets_are_bounded(empty):
    db = empty
    create(db, "anna")
    for i in range(40):
        begin(db, "anna", f"198.51.100.{i}", 20)
        done(db, "anna", f"198.51.100.{i}")
        db.sql("UPDATE login_places SET last_at = last_at - interval '1 s'")
    kept = db.sql("SELECT host(place) FROM login_places ORDER BY last_at")
    assert [k[0] for k in kept] == [f"198.51.100.{i}" for i in range(24, 40)]
    db.sql("UPDATE login_buckets SET used = used - 300000")
    before, = db.sql("SELECT count(*) FROM login_buckets")[0]
    for i in range(20):
        begin(db, "anna", f"203.0.113.{i}", 20)
    after = db.sql("SELECT min(used) > 0, count(*) FROM login_buckets")[0]
    assert before > 20 and after == (True, 2 * 20 + 1)


def test_a_user_who_changed_meanwhile(empty):
    db = empty
    create(db, "anna")
    begin(db, "anna")
    assert done(db, "anna", password_hash=OTHER) == []
    db.run("user_disable", "anna", None)
    assert done(db, "anna") == []
    assert db.sql("SELECT count(*) FROM login_places") == [(0,)]


def test_a_change_of_a_user_is_told(empty):
    db = empty
    create(db, "anna")
    before = db.sql("SELECT change FROM users")[0][0]
    db.run("user_set_password", "anna", OTHER, None)
    assert db.sql("SELECT change FROM users")[0][0] > before
