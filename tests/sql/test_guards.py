"""Guards of links, locks and hands-off switches, as people set them and as
the loop reads them."""
import pytest

from test_decisions import (  # noqa: F401  fixtures
    anomaly, j, make_plan, plan, refused, series)

NOW = "2026-01-01 12:00:00Z"


@pytest.fixture
def command(db, plan):  # noqa: F811
    return db.sql(f"SELECT min(id) FROM commands WHERE plan_id = {plan}"
                  )[0][0]


def facts(db, command):
    names = ("where", "by", "why", "locked_by", "lock_reason", "most",
             "least_s", "moves", "newest", "exclusion", "link", "plan")
    row, = db.run("cycle_guard_asset", command, NOW)
    return dict(zip(names, row))


def test_guards_of_a_template(db, command, series):  # noqa: F811
    """On the anomaly's node; what it has not got is said, not passed over."""
    db.run("templates_change", "T-T", j(guards=[
        {"name": "floor", "metric": "flow", "low": 2},
        {"name": "head", "metric": "pressure", "high": 80}]), None, "eve")
    rows = db.run("cycle_guard_limits", command)
    assert [r[:2] for r in rows] == [("floor", series), ("head", 0)]
    assert (rows[0][2], rows[1][3]) == (2, 80)
    db.sql("UPDATE plans SET undoes = id")
    assert db.run("cycle_guard_limits", command) == []


def test_nothing_is_guarded_at_first(db, command):
    assert facts(db, command) == {
        "where": None, "by": None, "why": None, "locked_by": None,
        "lock_reason": None, "most": 0, "least_s": 0, "moves": 0,
        "newest": None, "exclusion": None, "link": None, "plan": 0}


def test_guards_of_a_link(db, command, series):  # noqa: F811
    body, etag = db.run("link_guards_get", "T-V")[0]
    assert body == {"link": "T-V", "max_per_hour": None, "exclusion": None,
                    "min_interval_s": None, "limits": [],
                    "locked_by": None, "locked_at": None,
                    "lock_reason": None}
    limits = [{"node": "T-B", "metric": "flow", "action": None, "low": 1,
               "high": None},
              {"node": "T-B", "metric": "flow", "action": "close_valve",
               "low": None, "high": 9}]
    body, newer, _ = db.run("link_guards_put", "T-V", j(
        max_per_hour=4, min_interval_s=2.5, exclusion="feeders",
        limits=limits), etag)[0]
    assert [{k: v for k, v in i.items() if k != "unit"}
            for i in body["limits"]] == limits
    assert newer != etag and db.run("link_guards_get", "T-V")[0] == (
        body, newer)
    seen = facts(db, command)
    assert (seen["most"], seen["least_s"], seen["exclusion"]) == (
        4, 2.5, "feeders")
    rows = db.run("cycle_guard_limits", command)
    assert [r[:3] for r in rows][0] == ("", series, 1) and len(rows) == 2
    db.sql("UPDATE commands SET action = 'open_valve' WHERE id = %s", command)
    assert len(db.run("cycle_guard_limits", command)) == 1
    refused(db, 412, "", "version", "link_guards_put", "T-V", "{}", etag)
    body, _, _ = db.run("link_guards_put", "T-V", "{}", newer)[0]
    assert body["limits"] == [] and body["max_per_hour"] is None
    refused(db, 404, "", "no link", "link_guards_put", "T-X", "{}", None)


@pytest.mark.parametrize("limit, pointer, words", [
    ({"node": "T-X", "metric": "flow", "low": 1}, "node", "no series"),
    ({"node": "T-B", "metric": "flow"}, "low", "low, high or both"),
    ({"node": "T-B", "metric": "flow", "low": 2, "high": 1}, "low", "above"),
    ({"node": "T-B", "metric": "flow", "low": 2, "action": "X!"}, "action",
     "lower-case")])
def test_limits_that_make_no_sense(db, series, limit, pointer, words):  # noqa: F811
    refused(db, 422, "/limits/0/" + pointer, words, "link_guards_put", "T-V",
            j(limits=[limit]), None)


def test_a_lock_names_who_locked_first(db, command):
    body = db.body("link_lock", "T-V", "true", j(reason="shaft open"), "ada")
    assert (body["locked_by"], body["lock_reason"]) == ("ada", "shaft open")
    assert body["locked_at"]
    seen = facts(db, command)
    assert (seen["locked_by"], seen["lock_reason"]) == ("ada", "shaft open")
    refused(db, 409, "", "locked by ada", "link_lock", "T-V", "true",
            j(reason="x"), "bob")
    body = db.body("link_lock", "T-V", "false", j(reason="closed"), "bob")
    assert body["locked_by"] is None and body["lock_reason"] is None
    refused(db, 409, "", "is not locked", "link_lock", "T-V", "false",
            j(reason="x"), "bob")


def test_hands_off_a_zone_and_everywhere(db, command):
    refused(db, 422, "/zone", "no zone", "hands_off_set",
            j(zone="T-NONE", reason="x"), "true", "ada")
    db.sql("INSERT INTO zones (code) VALUES ('T-FAR')")
    db.body("hands_off_set", j(zone="T-FAR", reason="far away"), "true", "ada")
    assert facts(db, command)["where"] is None
    db.body("hands_off_set", j(zone="T-Z", reason="divers"), "true", "ada")
    seen = facts(db, command)
    assert (seen["where"], seen["by"], seen["why"]) == ("T-Z", "ada", "divers")
    refused(db, 409, "", "already, by ada", "hands_off_set",
            j(zone="T-Z", reason="x"), "true", "bob")
    db.body("hands_off_set", j(reason="storm"), "true", "bob")
    assert facts(db, command)["where"] == "everywhere"
    body = db.body("hands_off_set", j(reason="over"), "false", "cyd")
    assert (body["released_by"], body["release_reason"]) == ("cyd", "over")
    assert facts(db, command)["where"] == "T-Z"
    db.body("hands_off_set", j(zone="T-Z", reason="up"), "false", "ada")
    assert facts(db, command)["where"] is None
    refused(db, 409, "", "not off", "hands_off_set",
            j(zone="T-Z", reason="x"), "false", "ada")
    page = db.body("hands_off_list", "true", 1000, None)["items"]
    assert [h["zone"] for h in page] == ["T-FAR"]
    assert len(db.body("hands_off_list", None, 2, None)["items"]) == 2


def test_operators_stay_within_their_zones(db, command):
    db.sql("INSERT INTO users (username, role, password_hash, zone_ids) "
           "SELECT 'bound', 'operator', 'x', ARRAY[id] FROM zones "
           "WHERE code = 'T-Z'")
    db.body("hands_off_set", j(zone="T-Z", reason="mine"), "true", "bound")
    db.body("link_lock", "T-V", "true", j(reason="mine"), "bound")
    refused(db, 403, "", "not within the zones", "hands_off_set",
            j(reason="all"), "true", "bound")


def test_moves_of_a_link_are_counted(db, plan, command, anomaly, series):  # noqa: F811
    other = make_plan(db, anomaly, series, "worked")
    db.sql("UPDATE commands SET state = 'executed', sent_at = "
           f"'{NOW}'::timestamptz - step * interval '40 min' "
           f"WHERE plan_id = {other}")
    db.sql(f"UPDATE commands SET state = 'sent', sent_at = '{NOW}' "
           f"WHERE id = {command}")
    seen = facts(db, command)
    assert seen["moves"] == 1
    assert seen["newest"].isoformat() == "2026-01-01T11:20:00+00:00"
    db.sql(f"UPDATE commands SET state = 'failed' WHERE plan_id = {other}")
    assert facts(db, command)["moves"] == 0


def test_a_live_plan_excludes_the_group(db, plan, command, anomaly, series):  # noqa: F811
    db.run("links_create", j(code="T-W", type="valve", from_node="T-A",
                             to_node="T-B", gateway="T-G"))
    for link in "T-V", "T-W":
        db.run("link_guards_put", link, j(exclusion="feeders"), None)
    other = make_plan(db, anomaly, series, "executing")
    db.sql("UPDATE commands SET link_id = (SELECT id FROM links WHERE "
           f"code = 'T-W') WHERE plan_id = {other}")
    seen = facts(db, command)
    assert (seen["exclusion"], seen["link"], seen["plan"]) == (
        "feeders", "T-W", other)
    db.sql(f"UPDATE plans SET state = 'worked', closed_at = now() "
           f"WHERE id = {other}")
    assert facts(db, command)["plan"] == 0


def test_who_did_it_is_recorded(db, command):
    db.body("hands_off_set", j(reason="storm"), "true", "ada")
    db.run("link_guards_put", "T-V", j(max_per_hour=1, limits=[
        {"node": "T-B", "metric": "flow", "low": 1}]), None)
    names = {row[0] for row in db.sql(
        "SELECT source || '.' || op FROM audit_pending")}
    assert {"hands_off.insert", "links.update", "link_limits.insert"} <= names
