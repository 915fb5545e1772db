"""Rules, their versions, and what those in shadow found, as the tables keep
them."""
import hashlib
import json

import pytest

from scratch import prepare
from test_decisions import j, refused, series  # noqa: F401  fixtures

TEST = {"series": "T-B/flow", "value": {"above": 1}}


def rule(when=None, **more):
    return {"when": when or TEST, "severity": "warning", "message": "m",
            **more}


@pytest.fixture
def made(db, series):  # noqa: F811
    body, etag, location = db.run("rules_create", j(
        code="R1", rule=rule()), "ada")[0]
    assert location == "/api/v1/rules/R1"
    return body, etag


def judged(db):
    return [tuple(r)[1:4] for r in db.run("cycle_rules")]


def test_a_new_rule_is_in_shadow(db, made):
    body, etag = made
    assert (body["mode"], body["version"], body["author"]) == (
        "shadow", 1, "ada")
    kept = db.sql("SELECT body::text FROM rule_versions")[0][0]
    assert body["sha256"] == hashlib.sha256(kept.encode()).hexdigest()
    assert db.run("rules_get", "R1")[0] == (body, etag)
    assert judged(db) == [(1, True, "R1")]
    refused(db, 409, "/code", "exists", "rules_create", j(
        code="R1", rule=rule()), "ada")


def test_versions(db, made):
    _, etag = made
    body, etag, _ = db.run("rules_change", "R1", j(mode="live"), "bob",
                           etag)[0]
    assert (body["mode"], body["version"]) == ("live", 1)
    newer = rule(message="n")
    body, etag, _ = db.run("rules_change", "R1", j(
        rule=newer, shadow_trial=True), "bob", etag)[0]
    assert (body["version"], body["shadow_version"]) == (1, 2)
    assert judged(db) == [(1, False, "R1"), (2, True, "R1")]
    # The same body again is the same version.
    body, etag, _ = db.run("rules_change", "R1", j(rule=newer), "eve",
                           etag)[0]
    assert (body["version"], body["shadow_version"]) == (2, None)
    assert body["author"] == "bob" and body["rule"] == newer
    assert judged(db) == [(2, False, "R1")]
    body, etag, _ = db.run("rules_change", "R1", j(version=1), "eve",
                           etag)[0]
    assert body["version"] == 1 and body["author"] == "ada"
    refused(db, 422, "/version", "no version", "rules_change", "R1",
            j(version=9), "eve", etag)
    refused(db, 412, "", "version", "rules_change", "R1", "{}", "eve", '"1"')
    page = db.run("rules_versions", "R1", "1", None)[0][0]
    assert [v["version"] for v in page["items"]] == [2]
    page = db.run("rules_versions", "R1", "1", page["next"])[0][0]
    assert [v["version"] for v in page["items"]] == [1]
    assert page["next"] is None
    assert db.run("rules_versions", "R2", "1", None) == []
    db.run("rules_change", "R1", j(mode="off"), "eve", etag)
    assert judged(db) == []


@pytest.mark.parametrize("body, pointer", [
    (rule({"and": [TEST, {"series": "T-B/ph", "value": {"above": 1}}]}),
     "/rule/when/and/1/series"),
    (rule({"for": {"seconds": 1, "of": {"not": {
        "series": "T-X/flow", "value": {"above": 1}}}}}),
     "/rule/when/for/of/not/series"),
    (rule({"within": {"seconds": 1, "of": [TEST, {
        "metric": "x", "value": {"above": 1}}]}}),
     "/rule/when/within/of/1/metric"),
    (rule({"metric": "flow", "where": {"zone": "NO"},
           "value": {"above": 1}}), "/rule/when/where/zone"),
    (rule({"metric": "flow", "where": {"node": "NO"},
           "value": {"above": 1}}), "/rule/when/where/node"),
    (rule({"metric": "ph", "where": {"node": "T-B"},
           "value": {"above": 1}}), "/rule/when/where"),
    (rule(about="T-B/ph"), "/rule/about/series")])
def test_what_it_names_must_be_there(db, series, body, pointer):  # noqa: F811
    refused(db, 422, pointer, "there", "rules_create", j(
        code="R2", rule=body), "ada")


def test_what_the_loop_remembers(db, made):
    number = db.sql("SELECT id FROM rules")[0][0]
    db.sql("SET LOCAL ROLE penstock_serve")
    db.sql(prepare("cycle_rule_states_put"))

    def put(version, state):
        db.sql("EXECUTE test_cycle_rule_states_put(%s, %s, %s, %s::bytea[])",
               [number], [version], [0], [state])
        return [(r[0], r[1], r[2], bytes(r[3]))
                for r in db.sql("SELECT * FROM rule_states ORDER BY version")]

    assert put(1, b"abc") == [(number, False, 1, b"abc")]
    # Whoever judges the new one may come before who clears the old one.
    assert put(2, b"de") == [(number, False, 1, b"abc"),
                             (number, False, 2, b"de")]
    assert put(1, b"") == [(number, False, 2, b"de")]
    assert put(2, b"f") == [(number, False, 2, b"f")]
    assert put(2, b"") == []


def test_shadow_beside_live(db, made, series):  # noqa: F811
    number = db.sql("SELECT id FROM rules")[0][0]
    for first, cleared in (("10:00", "10:30"), ("12:00", "12:30")):
        db.run("cycle_rule_shadow_add", number, 1, series, "warning",
               f"2026-01-01 {first}Z", json.dumps({"rule": "R:R1@1"}))
        db.sql("UPDATE rule_shadow_findings SET cleared_at = %s"
               " WHERE cleared_at IS NULL", f"2026-01-01 {cleared}Z")
    for first, cleared in (("10:10", "10:20"), ("14:00", "14:01")):
        db.sql("INSERT INTO anomalies (series_id, type, direction, severity,"
               " state, rule_id, first_at, last_at, cleared_at, evidence,"
               " knowledge_version, rule_no) VALUES (%s, 'rule', 'none',"
               " 'warning', 'cleared', 'R:R1@1', %s, now(), %s, '{}', 1, %s)",
               series, f"2026-01-01 {first}Z", f"2026-01-01 {cleared}Z",
               number)
    body, = db.run("rules_shadow", "R1", "2026-01-01T00:00:00Z", "1")[0]
    assert {k: body[k] for k in ("fired_in_shadow", "fired_live", "both",
                                 "shadow_alone", "live_alone")} == {
        "fired_in_shadow": 2, "fired_live": 2, "both": 1, "shadow_alone": 1,
        "live_alone": 1}
    assert [f["also_live"] for f in body["findings"]] == [False]
    refused(db, 409, "", "raised", "rules_delete", "R1", None)


def test_only_so_much_is_kept_of_a_shadow(db, made, series):  # noqa: F811
    number = db.sql("SELECT id FROM rules")[0][0]
    db.sql("INSERT INTO rule_shadow_findings (rule_id, version, series_id,"
           " severity, first_at, evidence) SELECT %s, 1, %s, 'info',"
           " now(), '{}' FROM generate_series(1, 1100)", number, series)
    db.run("cycle_rule_shadow_add", number, 1, series, "warning",
           "2026-01-01 00:00Z", "{}")
    assert db.sql("SELECT count(*) FROM rule_shadow_findings")[0][0] == 1000


def test_two_rules_of_one_kind_are_two_conditions(db, series):  # noqa: F811
    seen = [db.run("cycle_anomaly_raise", series, "burst", "none", "warning",
                   f"R:a@{n}", "2026-01-01 10:00Z", "2026-01-01 10:00Z", 1,
                   None, "{}", 1, n)[0] for n in (1, 2, 1)]
    assert [new for _, new in seen] == [True, True, False]
    assert seen[0][0] == seen[2][0] != seen[1][0]


def test_versions_stay_as_they_are(db, made):
    for change in ("UPDATE rule_versions SET author = 'x'",
                   "DELETE FROM rule_versions"):
        db.sql("SAVEPOINT s; SET LOCAL ROLE penstock_serve")
        with pytest.raises(Exception, match="permission denied"):
            db.sql(change)
        db.sql("ROLLBACK TO s")


def test_deleting(db, made):
    refused(db, 412, "", "version", "rules_delete", "R1", '"1"')
    before = db.run("cycle_version")[0][0]
    db.run("rules_delete", "R1", "*")
    assert db.run("cycle_version")[0][0] > before
    assert db.sql("SELECT count(*) FROM rule_versions")[0][0] == 0
    refused(db, 404, "", "no rule", "rules_delete", "R1", "*")


def test_what_a_backtest_is_of(db, made):
    db.run("nodes_create", j(code="T-C", type="meter", zone="T-Y", series=[
        {"metric": "flow"}, {"metric": "ph"}]))
    ids = dict(db.sql(
        "SELECT n.code || '/' || m.code, s.id FROM series s"
        " JOIN nodes n ON n.id = s.node_id JOIN metrics m"
        " ON m.id = s.metric_id"))
    row, = db.run("rules_backtest", "R1", "{}")
    assert (row[0], row[1], row[3]) == ("R1", 1, [ids["T-B/flow"]])

    def of(when, **more):
        row, = db.run("rules_backtest", "R1", j(rule=rule(when, **more)))
        assert row[1] == 0 and json.loads(row[2])["when"] == when
        return row[3]

    for where, series_of in (({"zone": "T-Y"}, "T-C"), ({"node": "T-B"},
                                                        "T-B")):
        assert of({"for": {"seconds": 1, "of": {
            "metric": "flow", "where": where, "value": {"above": 1}}}}) == [
                ids[f"{series_of}/flow"]]
    assert of({"not": TEST}, about="T-C/ph") == sorted(
        [ids["T-B/flow"], ids["T-C/ph"]])
    assert db.run("rules_backtest", "NONE", "{}") == []
    refused(db, 422, "/version", "no version", "rules_backtest", "R1",
            j(version=7))


def test_the_record_names_rules_by_their_code(db, made):
    db.run("rules_change", "R1", j(rule=rule(message="n")), "ada", "*")
    db.sql("SET CONSTRAINTS ALL IMMEDIATE")
    changes, = db.sql("SELECT json_agg(c ORDER BY a.id, n) FROM audit a,"
                      " json_array_elements(a.changes) WITH ORDINALITY c(c, n)"
                      " WHERE c->>'table' LIKE 'rule%'")[0]
    assert [(c["table"], c["op"], c["subject"]) for c in changes][-2:] == [
        ("rule_versions", "insert", "R1@2"), ("rules", "update", "R1")]
