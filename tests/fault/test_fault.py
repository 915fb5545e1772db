"""kill -9 of everything while readings come in: nothing acknowledged is
lost, nothing is answered twice, the service comes back by itself, and the
log says what happened."""

import os
import signal
import threading
import time

import pytest

from support.load import Load
from support.service import wait_for

BACK_WITHIN = 10  # seconds


@pytest.fixture
def loaded(own_service):
    service = own_service()
    service.start()
    load = Load(service)
    load.start()
    wait_for("a first thousand readings",
             lambda: load.acknowledged_count() > 1000)
    yield service, load
    load.stop()


def back(load):
    """Waits until every sender is served again; the time that took."""
    began = time.monotonic()
    wait_for("service for every sender",
             lambda: load.all_well_since(began), BACK_WITHIN)
    return time.monotonic() - began


def finish(service, load):
    before = load.acknowledged_count()
    wait_for("more readings afterwards",
             lambda: load.acknowledged_count() > before + 500)
    load.stop()
    assert load.check() > 1000


def test_worker_killed(loaded):
    service, load = loaded
    victims = service.workers()
    assert len(victims) >= 2
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
        back(load)
    now = service.workers()
    assert len(now) == len(victims) and not set(now) & set(victims)
    finish(service, load)
    assert '"event":"worker_lost"' in service.log()


def test_loop_goes_on_after_its_worker_was_killed(loaded):
    service, load = loaded
    cycle, = service.sql("SELECT cycle FROM loop_status")[0]
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
    wait_for("three cycles more", lambda: service.sql(
        "SELECT cycle FROM loop_status")[0][0] > cycle + 3, BACK_WITHIN + 5)
    finish(service, load)


def test_postgresql_killed_and_restarted(loaded):
    service, load = loaded
    service.kill("postgres")
    time.sleep(1)
    assert not service.ready()
    service.lib("postgres_start")
    back(load)
    wait_for("/ready", service.ready, BACK_WITHIN)
    finish(service, load)
    assert '"event":"pg_lost"' in service.log()
    assert any(e[1] == 503 for e in load.errors()), load.errors()[:3]


def test_redis_killed_and_restarted(loaded):
    service, load = loaded
    node = load.names[0]
    service.kill("redis")
    began = time.monotonic()
    back(load)  # ingest does not wait for Redis
    wait_for("a latest value said to be warm", lambda: service.call(
        "GET", f"/api/v1/nodes/{node}/latest", "viewer"
    ).json()["items"][0]["source"] == "warm", 5)
    answer = service.call("GET", f"/api/v1/nodes/{node}/latest", "viewer")
    assert answer.json()["stale_since"]
    assert service.call("GET", "/ready").status_code == 200
    service.lib("redis_start")
    wait_for("a latest value from the hot tier", lambda: service.call(
        "GET", f"/api/v1/nodes/{node}/latest", "viewer"
    ).json()["items"][0]["source"] == "hot", BACK_WITHIN)
    finish(service, load)
    newest, = service.sql("SELECT max(ts) FROM readings WHERE node = %s",
                          node)[0]
    shown = service.call("GET", f"/api/v1/nodes/{node}/latest",
                         "viewer").json()["items"][0]
    assert shown["ts"].startswith(newest.strftime("%Y-%m-%dT%H:%M:%S"))
    assert not [e for e in load.errors() if e[0] > began], \
        "ingest failed for want of Redis"
    assert '"event":"redis_lost"' in service.log()


def test_sigterm_under_load(loaded):
    service, load = loaded
    pid = service.pid("kore")
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_for("the end of the service",
             lambda: not os.path.exists(f"/proc/{pid}"), 10)
    assert time.monotonic() - began < 10
    load.stop()
    assert load.check() > 1000
    assert service.workers() == []


def test_stop_answers_what_waits_and_begins_no_cycle(own_service):
    """A stop waits for a request whose commit waits for a lock; the loop does
    not go on meanwhile."""
    service = own_service(PENSTOCK_LOOP_PERIOD=100, PENSTOCK_WORKERS=1)
    service.start()
    pid = service.pid("kore")
    answers = []

    def make_key():
        answers.append(service.call(
            "POST", "/api/v1/api-keys", "admin", json={"name": "late"}))

    service.token("admin")
    with service.db() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=make_key)
        thread.start()
        wait_for("the lock to be waited for", lambda: service.sql(
            "SELECT 1 FROM pg_locks WHERE NOT granted"))
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)  # for the cycle that ran
        before = service.sql("SELECT cycle FROM loop_status")
        time.sleep(1)
        assert service.sql("SELECT cycle FROM loop_status") == before
        assert not answers
        cursor.execute("COMMIT")
    thread.join()
    assert answers[0].status_code == 201, answers[0].text
    wait_for("the end of the workers", lambda: not service.workers(), 3)


def test_parent_killed_takes_the_workers_along(loaded):
    service, load = loaded
    workers = service.workers()
    service.kill("kore")
    wait_for("the workers' end", lambda: not any(
        os.path.exists(f"/proc/{p}") for p in workers), 5)
    load.stop()
    load.check()
    service.start()
    assert service.ready()


def test_read_only_database_says_503(loaded):
    service, load = loaded
    service.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    service.sql("SELECT pg_reload_conf()")
    try:
        began = time.monotonic()
        wait_for("refusals", lambda: any(
            e[0] > began and e[1] == 503 for e in load.errors()))
        time.sleep(0.5)  # what was on its way has its answer now
        count = load.acknowledged_count()
        time.sleep(1)
        assert load.acknowledged_count() == count, "200 without a commit"
        wait_for("/ready to tell", lambda: (
            False, "read-only; nothing can be stored") in [
                (d["ok"], d["state"]) for d in service.call(
                    "GET", "/ready").json()["dependencies"]])
        assert service.call("GET", "/ready").json()["status"] == "degraded"
    finally:
        service.sql("ALTER SYSTEM RESET default_transaction_read_only")
        service.sql("SELECT pg_reload_conf()")
    back(load)
    finish(service, load)
