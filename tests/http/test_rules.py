"""Rules over several series, from their making to the anomaly that names
them."""
import datetime
import itertools

import pytest

from support.service import wait_for

UTC = datetime.timezone.utc
codes = (f"RU-{i}" for i in itertools.count())


@pytest.fixture
def node(service):
    code = next(codes)
    service.make_series(code, "pressure")
    assert service.call("POST", "/api/v1/series", "engineer", json={
        "node": code, "metric": "flow"}).status_code == 201
    return code


def say(service, node, *readings):
    """(metric, seconds ago, value)"""
    now = datetime.datetime.now(UTC)
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": node, "metric": m, "value": v, "ts": (
            now - datetime.timedelta(seconds=ago)).isoformat()}
                     for m, ago, v in readings]})
    assert answer.json()["accepted"] == len(readings), answer.text


def burst(node, low=20):
    return {"when": {"for": {"seconds": 60, "of": {"and": [
        {"series": f"{node}/pressure", "value": {"below": low}},
        {"series": f"{node}/flow", "value": {"above": 50}}]}}},
        "severity": "critical", "type": "burst", "direction": "high",
        "message": "Water leaves the network"}


def make(service, code, rule, status=201, **more):
    answer = service.call("POST", "/api/v1/rules", "engineer", json={
        "code": code, "rule": rule, **more})
    assert answer.status_code == status, answer.text
    return answer


def anomalies(service, node):
    return service.call("GET", "/api/v1/anomalies", "viewer", params={
        "node": node}).json()["items"]


def test_two_series_and_a_while_raise_an_anomaly(service, node):
    make(service, node, burst(node), mode="live")
    say(service, node, ("pressure", 100, 12), ("flow", 95, 70),
        ("pressure", 30, 11))
    one = wait_for(node, lambda: anomalies(service, node))[0]
    assert (one["rule"], one["type"], one["severity"], one["direction"]) == (
        f"R:{node}@1", "burst", "critical", "high")
    whole = service.call("GET", f"/api/v1/anomalies/{one['id']}",
                         "viewer").json()
    assert whole["evidence"]["message"] == "Water leaves the network"
    assert {r["series"] for r in whole["evidence"]["readings"]} == {
        f"{node}/pressure", f"{node}/flow"}
    answer = service.call("DELETE", f"/api/v1/rules/{node}", "engineer")
    assert answer.status_code == 409 and "raised" in answer.json()["detail"]
    # Another version ends what this one found, and finds it itself.
    answer = service.call("PATCH", f"/api/v1/rules/{node}", "engineer",
                          json={"rule": burst(node, 5)})
    assert answer.json()["version"] == 2
    wait_for("cleared", lambda: anomalies(service, node)[0]["state"]
             == "cleared")


def test_a_trial_in_shadow_raises_nothing(service, node):
    etag = make(service, node, burst(node, 5), mode="live").headers["ETag"]
    path = f"/api/v1/rules/{node}"
    answer = service.call("PATCH", path, "engineer", json={
        "rule": burst(node), "shadow_trial": True},
        headers={"If-Match": etag})
    assert (answer.json()["version"], answer.json()["shadow_version"]) == (
        1, 2)
    say(service, node, ("pressure", 100, 12), ("flow", 95, 70),
        ("pressure", 30, 11))
    found = wait_for("a finding", lambda: (lambda a: a["findings"] and a)(
        service.call("GET", f"{path}/shadow", "viewer").json()))
    assert found["shadow_alone"] == 1 and found["live_alone"] == 0
    assert found["findings"][0]["version"] == 2
    assert anomalies(service, node) == []
    versions = service.call("GET", f"{path}/versions", "viewer").json()
    assert [v["version"] for v in versions["items"]] == [2, 1]
    assert service.call("PATCH", path, "engineer", json={"name": "x"},
                        headers={"If-Match": etag}).status_code == 412


def at(rule, path, value):
    *way, last = path
    for step in way:
        rule = rule[step]
    rule[last] = value


@pytest.mark.parametrize("path, value, pointer", [
    (["when", "for", "seconds"], 0, "/rule/when/for/seconds"),
    (["when", "for", "of", "and", 1, "value"], {"over": 1},
     "/rule/when/for/of/and/1/value/over"),
    (["when", "for", "of", "and", 0, "series"], "NOWHERE/flow",
     "/rule/when/for/of/and/0/series"),
    (["severity"], "loud", "/rule/severity"),
    (["type"], "silence", "/rule/type"),
    (["extra"], 1, "/rule/extra")])
def test_errors_name_their_place(service, node, path, value, pointer):
    rule = burst(node)
    at(rule, path, value)
    problem = make(service, node, rule, 422).json()
    assert [e["pointer"] for e in problem["errors"]] == [pointer]


def test_who_may(service, node):
    for role in "viewer", "operator", "device":
        assert service.call("POST", "/api/v1/rules", role, json={
            "code": node, "rule": burst(node)}).status_code == 403
    make(service, node, burst(node))
    path = f"/api/v1/rules/{node}"
    assert service.call("GET", path, "viewer").json()["mode"] == "shadow"
    assert service.call("PATCH", path, "operator", json={
        "mode": "live"}).status_code == 403
    assert service.call("DELETE", path, "engineer").status_code == 204
    assert service.call("GET", path, "viewer").status_code == 404


def past(node, n=90):
    """Readings of an afternoon: a burst from its minute 30 to 60."""
    begin = datetime.datetime.now(UTC).replace(
        minute=0, second=0, microsecond=0) - datetime.timedelta(hours=5)
    return begin, [
        {"node": node, "metric": metric, "ts": (
            begin + datetime.timedelta(minutes=i)).isoformat(),
         "value": bad if 30 <= i < 60 else good}
        for i in range(n) for metric, good, bad in (
            ("pressure", 40, 10), ("flow", 20, 90))]


def test_a_backtest_is_the_same_again(service, node):
    begin, readings = past(node)
    make(service, node, burst(node), mode="off")
    for metric in "pressure", "flow":
        assert service.call(
            "PATCH", f"/api/v1/series/{node}/{metric}", "engineer",
            json={"cadence_s": 60}).status_code == 200
    answer = service.call("POST", "/api/v1/readings", "device",
                          json={"readings": readings})
    assert answer.json()["accepted"] == len(readings)
    path = f"/api/v1/rules/{node}/backtest"
    asked = {"from": begin.isoformat(), "to": (
        begin + datetime.timedelta(hours=2)).isoformat()}
    once, again = (service.call("POST", path, "engineer", json=asked)
                   for _ in range(2))
    assert once.status_code == 200, once.text
    assert once.content == again.content
    body = once.json()
    assert (body["version"], body["readings"], body["cycles"],
            body["series"]) == (1, len(readings), 120, 2)
    one, = [f for f in body["fired"] if f["own"]]

    def moment(minute):
        return (begin + datetime.timedelta(minutes=minute)).strftime(
            "%Y-%m-%dT%H:%M:%SZ")

    assert (one["rule"], one["first_at"], one["cleared_at"]) == (
        f"R:{node}@1", moment(31), moment(60))
    assert anomalies(service, node) == []
    assert body["proposed"] == []
    # With a template of today for it.
    for what, made in (
            ("plan-templates", {
                "code": f"{node}-T", "name": "close", "metric": "pressure",
                "anomaly_type": "burst", "least_severity": "critical",
                "effect_window_s": 60, "actions": [{
                    "step": 1, "action": "close_valve",
                    "target_type": "valve", "target_relation": "inlet"}]}),
            ("gateways", {"code": f"{node}-G", "url": "http://127.0.0.1:9"}),
            ("nodes", {"code": f"{node}-S", "type": "junction"}),
            ("links", {"code": f"{node}-V", "type": "valve",
                       "from_node": f"{node}-S", "to_node": node,
                       "gateway": f"{node}-G"})):
        answer = service.call("POST", f"/api/v1/{what}", "admin", json=made)
        assert answer.status_code == 201, answer.text
    planned, again = (service.call("POST", path, "engineer", json=asked)
                      for _ in range(2))
    assert planned.content == again.content
    plan, = planned.json()["proposed"]
    assert (plan["anomaly"], plan["template"]) == (one["id"], f"{node}-T")
    assert plan["commands"][0]["link"] == f"{node}-V"
    assert node not in [p["node"] for p in service.call(
        "GET", "/api/v1/plans", "viewer").json()["items"]]
    # Its guard and its effect are about series that the rule is not about.
    service.make_series(f"{node}-D", "flow", type="dma", zone=f"{node}-Z")
    for what, made in (
            ("series", {"node": node, "metric": "chlorine"}),
            (f"nodes/{node}", {"zone": f"{node}-Z"}),
            (f"plan-templates/{node}-T", {
                "guards": [{"name": "clean", "metric": "chlorine",
                            "low": 0.1}], "effect_metric": "flow",
                "effect_at": "zone", "effect_direction": "low"})):
        answer = service.call("POST" if what == "series" else "PATCH",
                              f"/api/v1/{what}", "engineer", json=made)
        assert answer.status_code < 300, answer.text
    guarded = service.call("POST", path, "engineer", json=asked).json()
    assert (guarded["series"], guarded["readings"], guarded["fired"]) == (
        2, len(readings), planned.json()["fired"])
    plan, = guarded["proposed"]
    assert plan["template"] == f"{node}-T"
    fit, = [c for c in plan["reasons"]["considered"] if c["fits"]]
    assert fit["effect"] == 0.5, "it is looked for in another series"
    # A rule that is not kept.
    other = service.call("POST", path, "engineer", json={
        **asked, "rule": burst(node, 5)}).json()
    assert (other["version"], other["fired_by_rule"]) == (0, 0)


def test_a_backtest_of_more_series_than_a_rule_takes(service, node):
    """The zone grew since the rule was kept."""
    zone = f"{node}-Z"
    service.make_series(f"{node}-0", "flow", zone=zone)
    make(service, node, {**burst(node), "when": {
        "metric": "flow", "where": {"zone": zone}, "value": {"above": 1e19}}})
    with service.session("engineer") as session:
        for i in range(1, 202):
            service.make_in(session, f"{node}-{i}", "flow", zone=zone)
    answer = service.call(
        "POST", f"/api/v1/rules/{node}/backtest", "engineer", json={
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})
    assert answer.status_code == 409, answer.text
    assert "202 series" in answer.json()["detail"]


def test_what_a_backtest_refuses(service, node):
    make(service, node, burst(node))
    path = f"/api/v1/rules/{node}/backtest"
    for asked, pointer in (
            ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
             "/to"),
            ({"from": "2025-01-01T00:00:00Z", "to": "2025-02-02T00:00:00Z"},
             "/to"),
            ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
              "version": 9}, "/version"),
            ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
              "rule": {**burst(node), "severity": "x"}}, "/rule/severity")):
        answer = service.call("POST", path, "engineer", json=asked)
        assert answer.status_code == 422, answer.text
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
    assert service.call("POST", path, "operator", json=asked
                        ).status_code == 403
    assert service.call("POST", "/api/v1/rules/NONE/backtest", "engineer",
                        json={"from": "2026-01-01T00:00:00Z",
                              "to": "2026-01-02T00:00:00Z"}
                        ).status_code == 404
