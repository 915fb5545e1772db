"""An alarm from its raising to its end, as people see it over HTTP."""
import datetime
import itertools
import json
import subprocess

import pytest

from support.service import ROOT, wait_for

UTC = datetime.timezone.utc
codes = (f"AL-{i}" for i in itertools.count())


def make_node(service, **more):
    code = next(codes)
    service.make_series(code, "pressure")
    if more:
        assert service.call("PATCH", f"/api/v1/nodes/{code}", "engineer",
                            json=more).status_code == 200
    answer = service.call(
        "PUT", f"/api/v1/series/{code}/pressure/thresholds", "engineer",
        json={"thresholds": [{"direction": "low", "severity": "warning",
                              "set_level": 20, "clear_level": 25}]})
    assert answer.status_code == 200, answer.text
    return code


@pytest.fixture
def node(service):
    return make_node(service)


def say(service, node, value):
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": node, "metric": "pressure", "value": value,
                      "ts": datetime.datetime.now(UTC).isoformat()}]})
    assert answer.json()["accepted"] == 1, answer.text


def alarm(service, node, **wanted):
    """The node's newest alarm, once it is as wanted."""
    def look():
        items = service.call("GET", "/api/v1/anomalies", "viewer",
                             params={"node": node}).json()["items"]
        return items and all(
            items[0][k] == v for k, v in wanted.items()) and items[0]
    return wait_for(f"{node} {wanted}", look)


def act(service, one, what, status=200, role="operator", headers=None,
        **body):
    answer = service.call("POST", f"/api/v1/anomalies/{one['id']}/{what}",
                          role, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def rows(service, one):
    detail = service.call("GET", f"/api/v1/anomalies/{one['id']}", "viewer")
    return [(t["row"], t["actor"]) for t in
            detail.json()["alarm_transitions"]]


def test_raised_seen_and_over(service, node):
    say(service, node, 10)
    one = alarm(service, node, alarm_state="unacknowledged")
    assert (one["state"], one["priority"]) == ("open", "warning")
    act(service, one, "comment", text="a burst?")
    act(service, one, "assign", to="operator")
    assert act(service, one, "ack")["alarm_state"] == "acknowledged"
    say(service, node, 30)
    over = alarm(service, node, alarm_state="normal")
    assert (over["id"], over["state"], over["assigned_to"]) == (
        one["id"], "cleared", "operator")
    assert rows(service, one) == [
        ("L1", "loop"), ("L40", "operator"), ("L41", "operator"),
        ("L2", "operator"), ("L5", "loop")]


def test_over_before_anybody_looked(service, node):
    say(service, node, 10)
    one = alarm(service, node, alarm_state="unacknowledged")
    say(service, node, 30)
    alarm(service, node, alarm_state="returned_unacknowledged")
    listed = service.call("GET", "/api/v1/anomalies", "viewer", params={
        "node": node, "alarm_state": "live"}).json()["items"]
    assert [a["id"] for a in listed] == [one["id"]]
    say(service, node, 10)
    two = alarm(service, node, alarm_state="unacknowledged")
    assert two["id"] != one["id"]
    assert rows(service, one)[-1] == ("L11", "loop"), "the next one stands"


def test_a_shelf_ends_by_itself(service, node):
    say(service, node, 10)
    one = alarm(service, node, alarm_state="unacknowledged")
    act(service, one, "shelve", for_s=2, reason="known")
    say(service, node, 30)
    alarm(service, node, state="cleared", alarm_state="shelved")
    say(service, node, 10)
    again = alarm(service, node, state="open", alarm_state="unacknowledged")
    assert again["id"] == one["id"]
    assert rows(service, one)[-2:] == [("L14", "operator"), ("L21", "loop")]


def test_maintenance_holds_back_and_counts(service):
    node = make_node(service, zone="AL-Z1")
    end = datetime.datetime.now(UTC) + datetime.timedelta(hours=1)
    hold = service.call("POST", "/api/v1/maintenance-windows", "operator",
                        json={"zone": "AL-Z1", "to": end.isoformat(),
                              "reason": "pump works"})
    assert hold.status_code == 201, hold.text
    say(service, node, 10)
    one = alarm(service, node, alarm_state="suppressed_by_design")
    assert service.call("GET", hold.headers["Location"],
                        "viewer").json()["held"] == 1
    service.call("POST", hold.headers["Location"] + "/end", "operator")
    alarm(service, node, alarm_state="unacknowledged")
    assert [r for r, _ in rows(service, one)] == ["L23", "L27"]


def test_out_of_service(service, node):
    say(service, node, 10)
    one = alarm(service, node, alarm_state="unacknowledged")
    act(service, one, "out-of-service", 403, reason="broken")
    act(service, one, "out-of-service", role="engineer", reason="broken")
    say(service, node, 30)
    alarm(service, node, alarm_state="normal")
    say(service, node, 10)
    two = alarm(service, node, alarm_state="out_of_service")
    assert two["id"] != one["id"]
    act(service, two, "return-to-service", role="engineer")
    alarm(service, node, alarm_state="unacknowledged")


def test_what_is_stale_or_not_allowed_is_refused(service, node):
    say(service, node, 10)
    one = alarm(service, node, alarm_state="unacknowledged")
    got = service.call("GET", f"/api/v1/anomalies/{one['id']}", "viewer")
    tag = {"If-Match": got.headers["ETag"]}
    act(service, one, "comment", headers=tag, text="first")
    act(service, one, "comment", 412, headers=tag, text="late")
    act(service, one, "resolve", 409)
    act(service, one, "unshelve", 409)
    act(service, one, "shelve", 422, for_s=1e6, reason="x")
    act(service, one, "ack", 403, role="viewer")
    key = {"Idempotency-Key": "al-" + node}
    first = act(service, one, "shelve", headers=key, for_s=60, reason="x")
    assert act(service, one, "shelve", headers=key, for_s=60,
               reason="x") == first


def test_escalation_is_told(service):
    """A class is common to all, so this one is put back."""
    path = "/api/v1/alarm-classes/warning"
    was = service.call("GET", path, "viewer")
    node = make_node(service)
    changed = service.call("PATCH", path, "engineer", headers={
        "If-Match": was.headers["ETag"]}, json={"escalate_after_s": 1})
    assert changed.status_code == 200, changed.text
    try:
        say(service, node, 10)
        one = alarm(service, node, escalations=3)
    finally:
        service.call("PATCH", path, "engineer", json={
            "escalate_after_s": was.json()["escalate_after_s"]})
    told = [n for n in service.call("GET", "/api/v1/notifications",
                                    "viewer").json()["items"]
            if n["subject_id"] == one["id"]]
    assert [(n["kind"], n["level"], n["audience"]) for n in told] == [
        ("escalation", 3, "engineer"), ("escalation", 2, "engineer"),
        ("escalation", 1, "operator")]


def draw(*args):
    return subprocess.run([ROOT / "scripts/draw-machines", *args], check=True,
                          capture_output=True, text=True).stdout


def test_the_drawn_tables_are_those_that_run(service):
    served = service.call("GET", "/api/v1/meta/state-machines", "viewer")
    assert served.json() == json.loads(draw("--json"))
    assert {m["name"] for m in served.json()["items"]} >= {
        "anomaly", "alarm", "plan", "command"}
    assert draw() == (ROOT / "docs/state-machines.md").read_text(), \
        "draw them again: scripts/draw-machines > docs/state-machines.md"
