"""The loop as people see it over HTTP: anomalies from thresholds with delays,
one open per condition, history judged like live data, pause and resume."""

import datetime
import itertools

import pytest

from support.service import wait_for

codes = (f"L-{i}" for i in itertools.count())
UTC = datetime.timezone.utc


@pytest.fixture
def node(service):
    code = next(codes)
    service.make_series(code, "pressure")
    return code


def limits(service, node, *thresholds):
    answer = service.call(
        "PUT", f"/api/v1/series/{node}/pressure/thresholds", "engineer",
        json={"thresholds": list(thresholds)})
    assert answer.status_code == 200, answer.text


LOW = {"direction": "low", "severity": "warning", "set_level": 20,
       "clear_level": 25, "on_delay_s": 60, "off_delay_s": 60}


def post(service, node, start, values, step=60):
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{
            "node": node, "metric": "pressure", "value": v,
            "ts": (start + datetime.timedelta(seconds=step * i)).isoformat()}
            for i, v in enumerate(values)]})
    assert answer.json()["accepted"] == len(values), answer.text


def merged(service, node, count):
    wait_for("the merge", lambda: service.sql(
        "SELECT count(*) FROM readings WHERE node = %s AND merged",
        node)[0][0] == count)


def anomalies(service, node):
    return service.call("GET", "/api/v1/anomalies", "viewer",
                        params={"node": node}).json()["items"]


def test_history_fed_late_raises_and_clears_at_its_own_hours(service, node):
    limits(service, node, LOW)
    start = datetime.datetime(2020, 2, 1, tzinfo=UTC)
    #                        below from minute 3, above 25 from minute 8
    post(service, node, start, [30, 30, 30, 19, 18, 17, 18, 24, 26, 27, 28])
    merged(service, node, 11)
    one, = wait_for("an anomaly", lambda: anomalies(service, node))
    assert (one["type"], one["direction"], one["severity"]) == \
        ("threshold", "low", "warning")
    assert one["first_at"] == "2020-02-01T00:03:00Z"
    assert one["state"] == "cleared"
    assert one["cleared_at"] == "2020-02-01T00:09:00Z"
    detail = service.call("GET", f"/api/v1/anomalies/{one['id']}",
                          "viewer").json()
    assert detail["evidence"]["readings"]
    assert detail["limit"] == 20


def test_shorter_than_the_delay_raises_nothing(service, node):
    limits(service, node, LOW)
    start = datetime.datetime(2020, 2, 1, tzinfo=UTC)
    post(service, node, start, [30, 19, 30, 30], step=30)
    merged(service, node, 4)
    assert anomalies(service, node) == []


def test_one_open_anomaly_per_condition(service, node):
    limits(service, node, {**LOW, "on_delay_s": 0})
    start = datetime.datetime.now(UTC) - datetime.timedelta(minutes=10)
    for i in range(3):
        post(service, node, start + datetime.timedelta(minutes=i), [10 + i])
        merged(service, node, i + 1)
    one, = anomalies(service, node)
    assert one["state"] == "open"
    assert one["value"] == 12
    ack = service.call("POST", f"/api/v1/anomalies/{one['id']}/ack",
                       "operator", json={"note": "looking"})
    assert ack.status_code == 200, ack.text
    one, = anomalies(service, node)
    assert one["acked_by"] == "operator"


def test_no_plan_fits_is_recorded_not_an_error(service, node):
    limits(service, node, {**LOW, "on_delay_s": 0})
    post(service, node, datetime.datetime.now(UTC), [10])
    one = wait_for("planning", lambda: next(
        (a for a in anomalies(service, node) if a["planning"]), None))
    assert one["planning"] == "no_plan_fits"


def test_retiring_a_node_clears_its_anomalies(service, node):
    limits(service, node, {**LOW, "on_delay_s": 0})
    post(service, node, datetime.datetime.now(UTC), [10])
    wait_for("an anomaly", lambda: anomalies(service, node))
    service.call("DELETE", f"/api/v1/nodes/{node}", "engineer")
    wait_for("clearing", lambda: anomalies(
        service, node)[0]["state"] == "cleared")


def test_removed_thresholds_clear_their_anomalies(service, node):
    limits(service, node, {**LOW, "on_delay_s": 0})
    post(service, node, datetime.datetime.now(UTC), [10])
    wait_for("an anomaly", lambda: anomalies(service, node))
    limits(service, node)
    wait_for("clearing", lambda: anomalies(
        service, node)[0]["state"] == "cleared")


def test_pausing_stops_planning_but_never_monitoring(own_service):
    service = own_service()
    service.start()
    service.make_series("P-1", "pressure")
    limits(service, "P-1", {**LOW, "on_delay_s": 0})
    assert service.call("POST", "/api/v1/loop/pause",
                        "operator").status_code == 403
    paused = service.call("POST", "/api/v1/loop/pause", "engineer")
    assert paused.status_code == 200 and paused.json()["paused"] is True
    assert paused.json()["paused_by"] == "engineer"
    post(service, "P-1", datetime.datetime.now(UTC), [10])
    one, = wait_for("an anomaly", lambda: anomalies(service, "P-1"))
    cycle, = service.sql("SELECT cycle FROM loop_status")[0]
    wait_for("two cycles", lambda: service.sql(
        "SELECT cycle FROM loop_status")[0][0] > cycle + 2)
    assert anomalies(service, "P-1")[0]["planning"] is None
    assert service.call("POST", "/api/v1/loop/resume",
                        "engineer").json()["paused"] is False
    wait_for("planning", lambda: anomalies(service, "P-1")[0]["planning"])
