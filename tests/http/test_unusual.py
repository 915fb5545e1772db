"""What a series' own past says of a reading, and that the past survives."""
import datetime
import math
import os
import signal
import struct

from support.service import wait_for

UTC = datetime.timezone.utc
STEP = datetime.timedelta(hours=1)


def say(service, node, readings):
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": node, "metric": "pressure", "value": v,
                      "ts": t.isoformat()} for t, v in readings]})
    assert answer.json()["accepted"] == len(readings), answer.text


def taken_in(service, node):
    """How many readings its state holds, with those after the snapshot."""
    found = service.sql(
        "SELECT state, tail FROM watch_states w JOIN series s ON s.id ="
        " w.series JOIN nodes n ON n.id = s.node_id WHERE n.code = %s", node)
    if not found:
        return 0
    state, tail = map(bytes, found[0])
    before = struct.unpack("<q", state[-8:])[0] if state else 0
    return before + len(tail) // 16


def test_a_reading_unlike_its_past_is_an_anomaly(service):
    node = "UNU-1"
    service.make_series(node, "pressure")
    begin = datetime.datetime(2025, 6, 2, tzinfo=UTC)  # always the same days
    values = [40 + math.sin(i * i) for i in range(17 * 24)]
    # The same value longer than ever is told however many series share.
    values += [40.0] * 30
    hours = [(begin + i * STEP, v) for i, v in enumerate(values)]
    say(service, node, hours)
    found = wait_for("the anomaly", lambda: service.call(
        "GET", "/api/v1/anomalies", "viewer",
        params={"node": node}).json()["items"], 30)
    assert [(a["rule"], a["type"], a["severity"], a["direction"])
            for a in found] == [("unusual:freeze", "unusual", "info", "none")]
    evidence = service.call("GET", f"/api/v1/anomalies/{found[0]['id']}",
                            "viewer").json()["evidence"]
    assert 39 < evidence["expected"] < 41 and 0 < evidence["band"] < 5
    assert evidence["score"] >= 0.5 and evidence["unit"] == "m"
    assert datetime.datetime.fromisoformat(
        evidence["since"].replace("Z", "+00:00")) == hours[17 * 24][0]
    assert evidence["looks_like"] == "sensor fault"
    assert evidence["contributions"] == [
        {"node": node, "metric": "pressure", "share": 1}]
    assert evidence["readings"][-1]["value"] == 40
    # A day as ever ends it.
    say(service, node, [(hours[-1][0] + (i + 1) * STEP, values[i])
                        for i in range(30)])
    wait_for("its end", lambda: service.call(
        "GET", f"/api/v1/anomalies/{found[0]['id']}",
        "viewer").json()["state"] == "cleared", 30)


def test_a_killed_worker_takes_in_each_reading_once(own_service):
    service = own_service(PENSTOCK_LOOP_PERIOD=200)
    service.start()
    node = "UNU-2"
    service.make_series(node, "pressure")
    begin = datetime.datetime.now(UTC) - datetime.timedelta(hours=2)
    for i in range(6):
        say(service, node, [(begin + datetime.timedelta(seconds=60 * i + j),
                             40 + j % 7) for j in range(25)])
        old = service.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers", lambda: len(
            set(service.workers()) - set(old)) == len(old), 30)
        wait_for("the service", service.ready, 30)
    wait_for("all readings", lambda: taken_in(service, node) >= 150, 30)
    assert taken_in(service, node) == 150
    assert service.sql("SELECT count(*) FROM readings")[0][0] == 150
