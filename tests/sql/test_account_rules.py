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


@pytest.fixture
def places(empty):
    """Anomalies and plans in two zones and in none; operators anna (north),
    nino (nowhere) and ugo (everywhere)."""
    db = empty
    db.sql("INSERT INTO zones (code) VALUES ('east')"
           " ON CONFLICT (code) DO NOTHING")
    for name, zones in (("anna", ["north"]), ("nino", []), ("ugo", None)):
        create(db, name, zones=zones)
    create(db, "eva", "engineer")
    template = db.run("templates_create", json.dumps({
        "code": "ACC-T", "name": "x", "metric": "flow",
        "least_severity": "warning", "effect_window_s": 60,
        "actions": [{"step": 1, "action": "close_valve",
                     "target_type": "valve", "target_relation": "zone"}]}),
        "eva")
    assert template
    made = {}
    for zone in "north", "south", None:
        body = {"code": f"ACC-{zone}", "type": "junction",
                "series": [{"metric": "flow"}]}
        db.run("nodes_create", json.dumps(
            body | ({"zone": zone} if zone else {})))
        made[zone] = lambda zone=zone: happening(db, f"ACC-{zone}")
    return db, made


def happening(db, node, plan_to=None):
    """An open anomaly of that node, and a plan proposed for it."""
    series = db.sql("SELECT s.id FROM series s JOIN nodes n ON n.id ="
                    " s.node_id WHERE n.code = %s", node)[0][0]
    db.sql("DELETE FROM plans WHERE anomaly_id IN (SELECT id FROM anomalies"
           " WHERE series_id = %s); DELETE FROM anomalies"
           " WHERE series_id = %s", series, series)
    anomaly = db.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version) VALUES"
        " (%s, 'rate', 'high', 'warning', 'open', 'r', now(), now(), '{}', 1)"
        " RETURNING id", series)[0][0]
    plan = db.sql(
        "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
        " expires_at, effect_direction, effect_least, effect_window_s,"
        " command_life_s, reasons, knowledge_version) SELECT %s, id,"
        " 'proposed', now(), now() + interval '1 h', 'none', 0, 60, 60,"
        " '{}', 1 FROM plan_templates WHERE code = 'ACC-T' RETURNING id",
        anomaly)[0][0]
    return anomaly, plan, series


FLAG = json.dumps([{"from": "2026-01-01T00:00:00Z",
                    "to": "2026-01-02T00:00:00Z", "state": "differ"}])
ACTS = {
    "ack": lambda db, who, a, p, s: db.run("anomalies_ack", a, None, who,
                                           None),
    "approve": lambda db, who, a, p, s: db.run(
        "plans_decide", p, "approve", None, who),
    "reject": lambda db, who, a, p, s: db.run(
        "plans_decide", p, "reject", '{"reason": "x"}', who),
    "flag": lambda db, who, a, p, s: db.run(
        "quality_flags_put", s, "flow_total_mismatch", FLAG, who),
}
MAY = {"anna": {"north"}, "nino": set(), "ugo": {"north", "south", None},
       "eva": {"north", "south", None}, "idp:x": set()}
# Of a foreign provider it is what the service says with the request.
ORIGINS = [
    ({"actor": "idp:x", "role": "operator", "zones": ["north"]}, {"north"}),
    ({"actor": "idp:x", "role": "operator", "zones": ["nowhere"]}, set()),
    ({"actor": "idp:x", "role": "operator", "zones": []}, set()),
    ({"actor": "idp:x", "role": "operator"}, set()),
    ({"actor": "idp:x", "role": "operator", "zones": ["*"]},
     {"north", "south", None}),
    ({"actor": "idp:x", "role": "engineer"}, {"north", "south", None}),
    ({"actor": "idp:x", "role": "admin"}, {"north", "south", None}),
    ({"actor": "idp:y", "role": "admin", "zones": ["*"]}, set()),
    ({"role": "admin"}, set()),
]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", MAY)
def test_who_acts_where(places, act, who):
    db, made = places
    for zone, happen in made.items():
        found = happen()
        if zone in MAY[who]:
            assert ACTS[act](db, who, *found)
        else:
            with refused(403):
                ACTS[act](db, who, *found)
    if who != "idp:x":
        db.run("user_disable", who, None)
        with refused(403):
            ACTS[act](db, who, *made["north"]())


@pytest.mark.parametrize("origin, where", ORIGINS)
@pytest.mark.parametrize("act", ACTS)
def test_where_a_foreign_principal_acts(places, act, origin, where):
    db, made = places
    for zone, happen in made.items():
        found = happen()
        db.sql("SELECT set_config('penstock.origin', %s, true)",
               json.dumps(origin))
        if zone in where:
            assert ACTS[act](db, "idp:x", *found)
        else:
            with refused(403):
                ACTS[act](db, "idp:x", *found)
        # Ours are bound by what is kept of them alone.
        with refused(403):
            ACTS[act](db, "nino", *made["north"]())
        db.sql("SELECT set_config('penstock.origin', '', true)")


def test_a_flag_raised_by_one_is_cleared_by_another_within_his_zones(places):
    db, made = places
    _, _, series = made["south"]()
    ACTS["flag"](db, "ugo", None, None, series)
    agree = FLAG.replace("differ", "agree")
    for items in FLAG, agree:
        with refused(403):
            db.run("quality_flags_put", series, "flow_total_mismatch", items,
                   "anna")


def test_a_plan_counts_where_its_commands_go(places):
    """A node changed its zone between the proposal and the decision."""
    db, made = places
    _, plan, _ = made["north"]()
    db.run("nodes_create", json.dumps(
        {"code": "ACC-B", "type": "junction", "zone": "north"}))
    db.run("gateways_create", json.dumps(
        {"code": "ACC-G", "url": "http://127.0.0.1:9/"}))
    db.run("links_create", json.dumps({
        "code": "ACC-V", "type": "valve", "from_node": "ACC-south",
        "to_node": "ACC-B", "gateway": "ACC-G"}))
    db.sql("INSERT INTO commands (plan_id, step, state, link_id, gateway_id,"
           " action, argument, key) SELECT %s, 1, 'planned', l.id,"
           " l.gateway_id, 'close_valve', '{}', gen_random_uuid()"
           " FROM links l WHERE code = 'ACC-V'", plan)
    db.run("nodes_change", "ACC-B", '{"zone": "south"}', None)
    with refused(403):
        db.run("plans_decide", plan, "approve", None, "anna")
    db.run("nodes_change", "ACC-B", '{"zone": "north"}', None)
    assert db.run("plans_decide", plan, "approve", None, "anna")


@pytest.fixture
def keys(empty):
    db = empty
    db.sql("DELETE FROM api_key_uses; DELETE FROM api_keys")
    for code, zone in (("KEY-A", "north"), ("KEY-B", "south")):
        db.run("nodes_create", json.dumps(
            {"code": code, "type": "junction", "zone": zone}))
    return db


def key(db, number, **body):
    return db.run("api_key_create", json.dumps({"name": "x", **body}),
                  f"{number:016d}", bytes(32), "eva")[0]


def known(db, number):
    """Nodes, zones, expiry as a worker loads them."""
    return [row[5:8] for row in db.run("registry_keys", 0)
            if row[0] == f"{number:016d}"][0]


def test_a_key_has_its_scope(keys):
    db = keys
    body, etag, location = key(db, 1)
    assert body["nodes"] is None and body["zones"] is None
    assert location == "/api/v1/api-keys/" + "1".zfill(16)
    assert known(db, 1) == (None, None, None)
    key(db, 2, nodes=["KEY-B", "KEY-A", "KEY-B"], zones=[])
    nodes, zones, _ = known(db, 2)
    assert sorted(nodes.split(",")) == ["KEY-A", "KEY-B"] and zones == ""
    with refused(422, "/nodes/1"):
        key(db, 3, nodes=["KEY-A", "KEY-X"])
    with refused(422, "/zones/0"):
        key(db, 3, zones=["nowhere"])
    with refused(422, "/expires_at"):
        key(db, 3, expires_at="2020-01-01T00:00:00Z")
    ident = "1".zfill(16)
    changed, newer, _ = db.run("api_key_change", ident, json.dumps(
        {"zones": ["north"], "expires_at": "2040-01-01T00:00:00Z"}), etag)[0]
    assert changed["zones"] == ["north"] and changed["nodes"] is None
    assert known(db, 1) == (None, "north", 2208988800000000)
    with refused(412):
        db.run("api_key_change", ident, '{"name": "y"}', etag)
    both = db.run("api_key_change", ident,
                  '{"zones": null, "expires_at": null, "name": "y"}', newer)
    assert both[0][0]["name"] == "y" and known(db, 1) == (None, None, None)
    assert db.run("api_key_get", ident)[0] == both[0][:2]


def test_a_key_is_rotated(keys):
    db = keys
    old, new = "1".zfill(16), "2".zfill(16)
    key(db, 1, nodes=["KEY-A"], expires_at="2040-01-01T00:00:00Z")
    body = db.run("api_key_rotate", old, '{"overlap_s": 60}', new, bytes(32),
                  "eva")[0][0]
    assert (body["id"], body["replaces"]) == (new, old)
    assert body["nodes"] == ["KEY-A"] and body["expires_at"] is None
    left = db.sql("SELECT expires_at - now() FROM api_keys WHERE id = %s",
                  old)[0][0]
    assert left.total_seconds() == 60
    # Again, with a longer overlap: it lives no longer for that.
    db.run("api_key_rotate", old, "{}", "3".zfill(16), bytes(32), "eva")
    assert db.sql("SELECT expires_at - now() FROM api_keys WHERE id = %s",
                  old)[0][0] == left
    db.sql("UPDATE api_keys SET expires_at = now() WHERE id = %s", old)
    db.run("api_key_revoke", new)
    for ident, status in (old, 409), (new, 409), ("9".zfill(16), 404):
        with refused(status):
            db.run("api_key_rotate", ident, "{}", "4".zfill(16), bytes(32),
                   "eva")
        with refused(status):
            db.run("api_key_change", ident, "{}", None)


def test_a_key_s_use_is_written_once_a_minute_and_wakes_no_worker(keys):
    db = keys
    ident = "1".zfill(16)
    key(db, 1)
    change = db.sql("SELECT change FROM api_keys")[0]

    def used(*seconds):
        db.run("api_keys_used", [ident] * len(seconds),
               [1_700_000_000_000_000 + s * 1_000_000 for s in seconds])
        return db.run("api_key_get", ident)[0][0]["last_used_at"]

    assert used(0) == "2023-11-14T22:13:20Z"
    assert used(59, 5) == "2023-11-14T22:13:20Z"
    assert used(60, 61) == "2023-11-14T22:14:21Z"
    assert used(3) == "2023-11-14T22:14:21Z"
    db.run("api_keys_used", ["unknown"], [1])
    assert db.sql("SELECT change FROM api_keys")[0] == change


def test_a_log_in_looks_at_its_own_buckets_only(empty):
    db = empty
    db.sql("INSERT INTO login_buckets SELECT sha256(i::text::bytea),"
           " nextval('login_use_seq'), now() FROM generate_series(1, 5000) i")

    def walked():
        return db.sql("SELECT seq_tup_read FROM pg_stat_xact_user_tables"
                      " WHERE relname = 'login_buckets'")[0][0]

    before = walked()
    for i in range(5):
        begin(db, f"name{i}")
    assert walked() == before
