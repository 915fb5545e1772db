"""GET /api/v1/plans/{id}/dossier: from the readings to the verdict, the same
bytes for ever once the plan is closed, their hash in the record."""

import datetime
import hashlib
import json

import pytest

from support.gateway import Gateway
from support.service import wait_for

UTC = datetime.timezone.utc
NODE = "DOSSIER-M"


def make(service, path, **body):
    answer = service.call("POST", "/api/v1/" + path, "admin", json=body)
    assert answer.status_code == 201, answer.text


def send(service, *values):
    now = datetime.datetime.now(UTC)
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": NODE, "metric": "flow", "value": v,
                      "ts": (now - datetime.timedelta(
                          seconds=len(values) - i)).isoformat()}
                     for i, v in enumerate(values)]})
    assert answer.json()["accepted"] == len(values), answer.text


def plan(service, *states):
    return next((p for p in service.call(
        "GET", "/api/v1/plans?limit=500", "viewer").json()["items"]
        if p["node"] == NODE and p["state"] in states), None)


def dossier(service, number, **arguments):
    return service.call("GET", f"/api/v1/plans/{number}/dossier", "viewer",
                        **arguments)


@pytest.fixture(scope="module")
def closed(service):
    """A plan that was proposed on readings, refused to a viewer, approved,
    executed and judged."""
    gateway = Gateway("ok")
    make(service, "plan-templates", code="DOSSIER-T", name="close",
         metric="flow", anomaly_type="threshold", direction="high",
         least_severity="critical", effect_metric="flow",
         effect_direction="low", effect_least=1, effect_window_s=2,
         actions=[{"step": 1, "action": "close_valve",
                   "target_type": "valve", "target_relation": "inlet"}])
    make(service, "gateways", code="DOSSIER-G", name="g", url=gateway.url)
    service.make_series("DOSSIER-S", "flow")
    service.make_series(NODE, "flow", type="meter")
    make(service, "links", code="DOSSIER-V", type="valve",
         from_node="DOSSIER-S", to_node=NODE, gateway="DOSSIER-G")
    assert service.call(
        "PUT", f"/api/v1/series/{NODE}/flow/thresholds", "engineer",
        json={"thresholds": [
            {"direction": "high", "severity": "critical", "set_level": 50,
             "clear_level": 40, "on_delay_s": 0, "off_delay_s": 0}]}).ok
    send(service, 30, 31, 70)
    proposed = wait_for("a plan", lambda: plan(service, "proposed"), 20)
    number = proposed["id"]
    assert service.call("POST", f"/api/v1/plans/{number}/approve", "viewer",
                        json={}).status_code == 403
    wait_for("the refusal's row", lambda: service.sql(
        "SELECT 1 FROM audit WHERE outcome = 'refused' AND target = %s",
        str(number)))
    before = dossier(service, number)
    approved = service.call("POST", f"/api/v1/plans/{number}/approve",
                            "operator", json={"reason": "seen"})
    assert approved.status_code == 200, approved.text
    wait_for("the command", lambda: plan(service, "verifying"), 20)
    done = wait_for("a verdict", lambda: send(service, 20) or plan(
        service, "worked", "no_effect", "worse", "not_provable", "failed"), 60,
        0.5)
    gateway.kill()
    return done, before


def test_it_tells_the_whole_story(service, closed):
    done, before = closed
    d = dossier(service, done["id"]).json()
    assert d["final"] is True and before.json()["final"] is False
    assert d["plan"] == done
    assert d["anomaly"]["node"] == NODE
    assert d["evidence"]["readings"][-1]["value"] == 70
    trigger = d["readings"]["trigger"]
    assert [i["value"] for i in trigger["items"]][:3] == [30, 31, 70]
    assert trigger["unit"] == "m3/h" and trigger["more"] is False
    assert d["readings"]["effect"]["items"]
    threshold, = d["knowledge"]["thresholds"]
    assert threshold["set_level"] == 50
    assert threshold["changed_since"] is False
    assert d["knowledge"]["rule"] and d["knowledge"]["plan_version"] > 0
    assert d["knowledge"]["template"]["code"] == "DOSSIER-T"
    assert d["alternatives"]
    approval, = d["approvals"]
    assert (approval["by"], approval["facts"]) == (
        "operator", {"reason": "seen"})
    assert d["commands"][0]["link"] == "DOSSIER-V"
    assert {m["to"] for m in d["moves"]["commands"]} >= {"queued", "sent"}
    assert d["verdict"]["verdict"] == done["state"]
    assert {m["to"] for m in d["moves"]["plan"]} >= {
        "approved", "executing", done["state"]}
    assert "refused" in [r["outcome"] for r in d["audit"]]
    assert "operator" in [r["actor"] for r in d["audit"]]


def test_its_rows_of_audit_are_those_of_the_chain(service, closed):
    rows = dossier(service, closed[0]["id"]).json()["audit"]
    kept = dict(service.sql(
        "SELECT id, encode(hash, 'hex') FROM audit WHERE id = ANY (%s)",
        [r["id"] for r in rows]))
    assert len(rows) >= 4
    assert {r["id"]: r["hash"] for r in rows} == kept


def test_once_closed_it_stays_byte_for_byte(service, closed):
    number = closed[0]["id"]
    first = dossier(service, number)
    assert first.headers["X-Content-SHA256"] == \
        hashlib.sha256(first.content).hexdigest()
    assert first.headers["ETag"].startswith(
        '"' + first.headers["X-Content-SHA256"])
    # What is done and known later is of no matter to it.
    send(service, 21, 22)
    assert service.call(
        "PUT", f"/api/v1/series/{NODE}/flow/thresholds", "engineer",
        json={"thresholds": []}).ok
    assert service.call(
        "PATCH", "/api/v1/plan-templates/DOSSIER-T", "engineer",
        json={"name": "another"}, headers={"If-Match": service.call(
            "GET", "/api/v1/plan-templates/DOSSIER-T",
            "viewer").headers["ETag"]}).ok
    again = dossier(service, number)
    assert again.content == first.content
    same = dossier(service, number,
                   headers={"If-None-Match": first.headers["ETag"]})
    assert same.status_code == 304 and same.content == b""


def test_its_hash_is_in_the_record(service, closed):
    number = closed[0]["id"]
    sealed = dossier(service, number).headers["X-Content-SHA256"]
    changes, = service.sql(
        "SELECT changes FROM audit WHERE changes->0->>'table' = 'dossiers'"
        " AND changes->0->>'subject' = %s", str(number))
    after = changes[0][0]["after"]
    assert after["sha256"] == sealed and json.loads(str(after["id"])) == number


def test_of_what_is_not_there(service):
    assert dossier(service, 999999999).status_code == 404
    assert dossier(service, "x").status_code == 404
    assert service.call("GET", "/api/v1/plans/1/dossier",
                        "device").status_code == 403
