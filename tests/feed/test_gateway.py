"""The field gateway of penstock-district, in all its moods.

PENSTOCK_BUILD: the build folder, "build" in the project's root if not set.
"""
import concurrent.futures
import datetime
import socket
import subprocess
import time

import pytest
import requests

from support.gateway import DISTRICT, Gateway

pytestmark = pytest.mark.skipif(
    not DISTRICT.exists(), reason=f"{DISTRICT} is not built")


@pytest.fixture
def gateway():
    made = []

    def make(*args):
        made.append(Gateway(*args))
        return made[-1]
    yield make
    for g in made:
        g.kill()


def test_ok_executes_once_per_key(gateway):
    g = gateway("ok")
    first, again, other = g.send(), g.send(), g.send(key="k2")
    assert first.status_code == 200
    assert first.json()["status"] == "executed"
    assert again.text == first.text
    assert other.json()["status"] == "executed"
    assert g.executions() == 2
    log, took = g.stop()
    assert took < 2
    assert [(e["key"], e["repeat"], e["executions"]) for e in log] == [
        ("k1", False, 1), ("k1", True, 1), ("k2", False, 2)]
    assert log[0]["link"] == "V1" and log[0]["action"] == "close_valve"


def test_many_at_once_execute_once(gateway):
    g = gateway("ok")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = {r.text for r in pool.map(lambda _: g.send(), range(32))}
    assert len(answers) == 1
    assert g.executions() == 1


def test_a_key_belongs_to_one_command(gateway):
    g = gateway("ok")
    g.send()
    assert g.send(link="V2").status_code == 422
    assert g.send(key=None).status_code == 400
    assert g.executions() == 1


def test_not_after_is_kept(gateway):
    g = gateway("ok")
    now = datetime.datetime.now(datetime.timezone.utc)

    def at(seconds):
        return (now + datetime.timedelta(seconds=seconds)).isoformat()
    late = g.send(key="late", not_after=at(-1))
    assert late.status_code == 422
    assert late.json()["status"] == "refused"
    assert g.send(key="in time", not_after=at(60)).status_code == 200
    assert g.executions() == 1


def test_garbage_is_refused(gateway):
    g = gateway("ok")

    def post(path, body):
        return requests.post(g.url + path, data=body, timeout=5,
                             headers={"Idempotency-Key": "g" + body[:9]})
    assert post("/commands", "{").status_code == 400
    assert post("/commands", "[]").status_code == 422
    assert post("/commands", " " * 20000).status_code == 413
    assert post("/inject", "{}").status_code == 400
    assert post("/inject", '{"what":"burst"}').status_code == 422
    assert post("/nothing", "{}").status_code == 404
    assert g.executions() == 0


def test_slow_executes_and_answers_late(gateway):
    g = gateway("slow", "--slow-ms", "600")
    with pytest.raises(requests.Timeout):
        g.send(timeout=0.2)
    started = time.monotonic()
    assert g.send().json()["status"] == "executed"
    assert time.monotonic() - started >= 0.6
    assert g.executions() == 1


def test_silent_neither_executes_nor_answers(gateway):
    g = gateway("silent")
    with pytest.raises(requests.Timeout):
        g.send(timeout=0.3)
    assert g.executions() == 0
    _, took = g.stop()
    assert took < 2


def test_500_executes_nothing(gateway):
    g = gateway("500")
    assert g.send().status_code == 500
    assert g.send().status_code == 500
    log, _ = g.stop()
    assert [e["outcome"] for e in log] == ["failed", "failed"]
    assert log[-1]["executions"] == 0


def test_drop_after_accept_executes_and_remembers(gateway):
    g = gateway("drop-after-accept")
    with pytest.raises(requests.ConnectionError):
        g.send()
    assert g.executions() == 1
    assert g.send().json()["status"] == "executed"
    assert g.executions() == 1


def test_twice_answers_twice(gateway):
    g = gateway("twice")
    body = b'{"link":"V1","action":"close_valve"}'
    with socket.create_connection(("127.0.0.1", g.port), timeout=5) as s:
        s.sendall(b"POST /commands HTTP/1.1\r\nHost: x\r\n"
                  b"Idempotency-Key: k\r\nContent-Length: %d\r\n\r\n%s"
                  % (len(body), body))
        data = b""
        while chunk := s.recv(4096):
            data += chunk
    assert data.count(b"HTTP/1.1 200") == 2
    assert data.count(b'"executed"') == 2
    assert g.executions() == 1


def test_a_taken_port_is_told(gateway):
    g = gateway("ok")
    run = subprocess.run(
        [DISTRICT, "--gateway-only", "--gateway-port", str(g.port)],
        capture_output=True, text=True, timeout=5)
    assert run.returncode == 1
    assert str(g.port) in run.stderr
