"""kill -9 of everything while readings come in: nothing acknowledged is
lost, nothing is stored or answered twice, the tiers agree, the service comes
back by itself, and the log says what happened."""

import os
import signal
import threading
import time

from support.service import wait_for


def cycle_of(service):
    return service.sql("SELECT cycle FROM loop_status")[0][0]


def test_worker_killed(loaded):
    service = loaded.service
    victims = service.workers()
    assert len(victims) >= 2
    cycle = cycle_of(service)
    for pid in victims:
        moment = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        loaded.back(moment)
    now = service.workers()
    assert len(now) == len(victims) and not set(now) & set(victims)
    wait_for("three cycles more",
             lambda: cycle_of(service) > cycle + 3, 15)
    loaded.prove()
    assert '"event":"worker_lost"' in service.log()


def test_all_workers_killed_at_once_and_again(loaded):
    service = loaded.service
    for _ in range(4):
        moment = time.monotonic()
        for pid in service.workers():
            os.kill(pid, signal.SIGKILL)
        loaded.back(moment)
    loaded.prove()


def test_postgresql_killed_and_restarted(loaded):
    service = loaded.service
    moment = time.monotonic()
    service.kill("postgres")
    time.sleep(1)
    assert not service.ready()
    service.lib("postgres_start")
    loaded.back(moment)
    wait_for("/ready", service.ready, loaded.BACK_WITHIN)
    loaded.prove()
    assert '"event":"pg_lost"' in service.log()
    assert 503 in loaded.refused_since(moment)


def test_redis_killed_and_restarted(loaded):
    service = loaded.service
    path = f"/api/v1/nodes/{loaded.load.names[0]}/latest"

    def source():
        return service.call("GET", path, "viewer").json()["items"][0]["source"]

    began = time.monotonic()
    service.kill("redis")
    loaded.back(began)  # ingest does not wait for Redis
    wait_for("a latest value said to be warm", lambda: source() == "warm", 5)
    assert service.call("GET", path, "viewer").json()["stale_since"]
    assert service.call("GET", "/ready").status_code == 200
    service.lib("redis_start")
    wait_for("a latest value from the hot tier",
             lambda: source() == "hot", loaded.BACK_WITHIN)
    loaded.prove()
    assert not loaded.refused_since(began), "ingest failed for want of Redis"
    assert '"event":"redis_lost"' in service.log()


def test_parent_killed_takes_the_workers_along(loaded):
    service = loaded.service
    workers = service.workers()
    moment = time.monotonic()
    service.kill("kore")
    wait_for("the workers' end", lambda: not any(
        os.path.exists(f"/proc/{p}") for p in workers), 5)
    service.start()
    loaded.back(moment)
    loaded.prove()


def test_sigterm_under_load(loaded):
    service = loaded.service
    pid = service.pid("kore")
    moment = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_for("the end of the service",
             lambda: not os.path.exists(f"/proc/{pid}"), 10)
    assert service.workers() == []
    service.start()
    loaded.back(moment)
    loaded.prove()


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
        before = cycle_of(service)
        time.sleep(1)
        assert cycle_of(service) == before
        assert not answers
        cursor.execute("COMMIT")
    thread.join()
    assert answers[0].status_code == 201, answers[0].text
    wait_for("the end of the workers", lambda: not service.workers(), 3)


def test_read_only_database_says_503(loaded):
    service, load = loaded.service, loaded.load
    service.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    service.sql("SELECT pg_reload_conf()")
    try:
        began = time.monotonic()
        wait_for("refusals", lambda: 503 in loaded.refused_since(began))
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
    loaded.back(time.monotonic())
    loaded.prove()
