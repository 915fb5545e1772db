"""The main line as README walks it: the demo's burst becomes an anomaly, a
plan is proposed, a person approves, the gateway closes the valve, and later
readings prove the effect."""

import datetime
import json
import subprocess

import pytest

from support.service import ROOT, Service, wait_for


@pytest.fixture(scope="module")
def demo():
    s = Service(PENSTOCK_LOOP_PERIOD=1000, PENSTOCK_DEMO_OPTIONS=(
        "--cadence-ms 1000 --burst-after 15 --freeze-after 25"
        " --silence-after 35"))
    try:
        s.start("-d")  # with the demo
        yield s
    finally:
        s.remove()


def get(service, path, **params):
    answer = service.call("GET", path, "viewer", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def at(text):
    return datetime.datetime.fromisoformat(text)


def has_seen(service, anomaly, window_s):
    """The burst's own readings, a second apart, fill the window that the
    verdict looks back on: as long as a careful person would look."""
    readings = get(service, "/api/v1/readings", node="DEMO-WEST",
                   metric="flow", **{"from": anomaly["first_at"]})["items"]
    return len(readings) > window_s


def test_from_burst_to_verified_effect(demo):
    nodes = get(demo, "/api/v1/nodes")["items"]
    assert len(nodes) == 12 and all(n["simulated"] for n in nodes)

    flow = wait_for("a first reading", lambda: next(
        (i for i in get(demo, "/api/v1/nodes/DEMO-WEST/latest")["items"]
         if i["metric"] == "flow" and i["value"] is not None), None), 30)
    assert flow["unit"] == "m3/h"

    anomaly = wait_for("the burst", lambda: next(
        (a for a in get(demo, "/api/v1/anomalies", node="DEMO-WEST",
                        state="open")["items"]
         if a["type"] == "threshold"), None), 90, 0.5)
    # Within two cycles: evidence to row, on the database's clock.
    late, = demo.sql(
        "SELECT extract(epoch FROM raised_at - last_at) FROM anomalies"
        " WHERE id = %s", anomaly["id"])[0]
    assert late < 10

    plan = wait_for("a plan", lambda: next(iter(
        get(demo, "/api/v1/plans", state="proposed")["items"]), None), 15)
    before = get(demo, f"/api/v1/plans/{plan['id']}")
    assert [c["state"] for c in before["commands"]] == ["planned"]
    window_s, = demo.sql("SELECT effect_window_s FROM plans WHERE id = %s",
                         plan["id"])[0]
    wait_for("readings of the burst", lambda: has_seen(
        demo, anomaly, window_s), 90, 1)
    refused = demo.call("POST", f"/api/v1/plans/{plan['id']}/approve",
                        "viewer", json={})
    assert refused.status_code == 403
    approved = demo.call("POST", f"/api/v1/plans/{plan['id']}/approve",
                         "operator", json={"reason": "seen on the map"})
    assert approved.status_code == 200, approved.text
    again = demo.call("POST", f"/api/v1/plans/{plan['id']}/approve",
                      "operator", json={})
    assert again.status_code == 409

    done = wait_for("the verdict", lambda: next(
        (p for p in [get(demo, f"/api/v1/plans/{plan['id']}")]
         if p["state"] in ("worked", "no_effect", "worse", "not_provable",
                           "failed")), None), 150, 1)
    verdict = done["verdict"]
    assert done["state"] == "worked", json.dumps(done, indent=1)
    # Nothing of when the water was well is held against it.
    assert at(verdict["before"]["from"]) >= at(anomaly["first_at"])
    assert [c["state"] for c in done["commands"]] == ["verified"]
    assert done["decided_by"] == "operator"
    wait_for("the anomaly's clearing", lambda: get(
        demo, f"/api/v1/anomalies/{anomaly['id']}")["state"] == "cleared", 60)


def test_sensor_faults_are_found(demo):
    found = wait_for("frozen and silent sensors", lambda: (
        lambda types: {"flatline", "silence"} <= types and types)(
            {a["type"] for a in get(demo, "/api/v1/anomalies",
                                    limit=500)["items"]}), 180, 1)
    assert found


def test_second_start_reuses_the_state(demo):
    before = demo.sql("SELECT count(*) FROM nodes")[0][0]
    demo.stop()
    demo.start("-d")
    assert demo.sql("SELECT count(*) FROM nodes")[0][0] == before
    twice = subprocess.run([ROOT / "scripts/run", "-d"], env=demo.env,
                           capture_output=True, text=True, timeout=60)
    assert twice.returncode != 0 and "already running" in twice.stderr
    assert demo.ready()
