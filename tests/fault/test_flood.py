"""More readings than can be taken: they are refused first, and whoever operates
is served meanwhile, also while a worker dies."""

import http.client
import json
import os
import re
import signal
import ssl
import threading
import time

import requests

from support.load import rfc3339
from support.service import wait_for

SENDERS = 24
BATCH = 2000
SERVED_WITHIN = 10  # seconds, of an operator's call on a busy machine


class Flood(threading.Thread):
    """Posts without a pause, whatever it hears."""

    def __init__(self, service, number):
        super().__init__(daemon=True)
        self.service, self.number = service, number
        self.statuses, self.ending = {}, threading.Event()
        self.retry_missing = 0

    def body(self, step):
        base = time.time_ns() // 1000 - 3600 * 1_000_000
        return json.dumps({"readings": [
            {"node": f"FLOOD-{self.number}", "metric": "pressure", "value": 1,
             "ts": rfc3339(base + (step * BATCH + i) * 7)}
            for i in range(BATCH)]})

    def once(self, connection, body):
        connection.request("POST", "/api/v1/readings", body, {
            "Authorization": "Bearer " + self.service.device_key,
            "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 503 and not answer.headers["Retry-After"]:
            self.retry_missing += 1
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1

    def run(self):
        context = ssl.create_default_context(cafile=self.service.ca)
        bodies, step, connection = [self.body(i) for i in range(4)], 0, None
        while not self.ending.is_set():
            step += 1
            try:
                connection = connection or http.client.HTTPSConnection(
                    "127.0.0.1", self.service.port, timeout=20,
                    context=context)
                self.once(connection, bodies[step % len(bodies)])
            except (OSError, http.client.HTTPException):
                connection = None


def shed(service):
    text = service.call("GET", "/metrics").text
    return int(re.search(r'^penstock_shed_total\{what="ingest"\} (\d+)', text,
                         re.M)[1])


def propose(service):
    """A plan that waits for somebody to decide on it."""
    made = service.call("POST", "/api/v1/plan-templates", "engineer", json={
        "code": "FLOOD-T", "name": "T", "metric": "level", "enabled": False,
        "least_severity": "info", "effect_window_s": 60, "actions": [
            {"step": 1, "action": "close", "target_type": "valve",
             "target_relation": "inlet"}]})
    assert made.status_code == 201, made.text
    anomaly = service.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version, planning)"
        " SELECT id, 'rate', 'high', 'info', 'open', 'r', now(), now(), '{}',"
        " 1, 'no_plan_fits' FROM series LIMIT 1 RETURNING id")[0][0]
    return service.sql(
        "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
        " expires_at, effect_direction, effect_least, effect_window_s,"
        " command_life_s, reasons, knowledge_version) SELECT %s, id,"
        " 'proposed', now(), now() + interval '1 h', 'none', 0, 60, 60, '{}', 1"
        " FROM plan_templates WHERE code = 'FLOOD-T' RETURNING id",
        anomaly)[0][0]


def test_a_flood_of_readings_keeps_nobody_from_operating(own_service, figures):
    # Late is what a busy loop is soon: the flood is to be shed, not merged.
    service = own_service(PENSTOCK_SHED_LAG=50, PENSTOCK_QUEUE_MAX=5000)
    service.start()
    service.make_many([f"FLOOD-{i}" for i in range(SENDERS)], "pressure")
    plan = propose(service)
    assert service.token("operator") and service.token("engineer")
    senders = [Flood(service, i) for i in range(SENDERS)]
    for s in senders:
        s.start()
    longest, calls = 0.0, 0
    try:
        # However fast the machine is: the log is held up until its queue fills.
        with service.db() as cursor:
            cursor.execute("BEGIN; LOCK TABLE ingest_log IN EXCLUSIVE MODE")
            try:
                wait_for("shed readings", lambda: shed(service) > 0, 15)
            finally:
                cursor.execute("ROLLBACK")
        approved = until_answered(
            service, "POST", f"/api/v1/plans/{plan}/approve", "operator")
        assert approved.status_code == 200, approved.text
        end, killed = time.monotonic() + 12, False
        while time.monotonic() < end:
            for method, path, role, status in (
                    ("GET", "/health", None, 200),
                    ("GET", "/api/v1/plans", "operator", 200),
                    ("POST", "/api/v1/plans/999999/approve", "operator", 404),
                    ("POST", "/api/v1/loop/resume", "engineer", 200)):
                began = time.monotonic()
                answer = until_answered(service, method, path, role)
                assert answer.status_code == status, answer.text
                longest = max(longest, time.monotonic() - began)
                calls += 1
            if not killed and time.monotonic() > end - 7:
                os.kill(service.workers()[0], signal.SIGKILL)
                killed = True
        assert killed and longest < SERVED_WITHIN, longest
    finally:
        for s in senders:
            s.ending.set()
        for s in senders:
            s.join(30)
    statuses = {}
    for s in senders:
        assert s.retry_missing == 0
        for status, n in s.statuses.items():
            statuses[status] = statuses.get(status, 0) + n
    assert set(statuses) <= {200, 503} and statuses.get(503), statuses
    figures(flood=statuses, operator_calls=calls, longest_s=round(longest, 2))
    # And when it is over, all is taken again.
    wait_for("readings taken again", lambda: service.call(
        "POST", "/api/v1/readings", "device", json={
            "node": "FLOOD-0", "metric": "pressure", "value": 2,
            "ts": "2024-01-01T00:00:00Z"}).status_code == 200, 20)


def until_answered(service, method, path, role):
    """The connection may be one of the worker that is killed just then; and the
    one after it changes nothing before it knows which sessions have ended."""
    end = time.monotonic() + SERVED_WITHIN
    while time.monotonic() < end:
        try:
            answer = service.call(method, path, role, **(
                {"json": {"reason": "flood"}} if "approve" in path else {}))
        except requests.ConnectionError:
            time.sleep(0.2)
            continue
        if answer.status_code != 503 or "sessions" not in answer.text:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{path} is not answered")
