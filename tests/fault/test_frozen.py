"""Servers that stand still, or come and go, while readings come in."""

import contextlib
import os
import pathlib
import signal
import time

from support.service import wait_for

LONG = bool(os.environ.get("PENSTOCK_TEST_LONG"))
RESTARTS = 100 if LONG else 20
FROZEN_S = 150 if LONG else 30


def processes_in(folder):
    """Pids whose working directory is that folder: PostgreSQL's, all."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(entry) == str(folder):
                found.append(int(entry.parent.name))
    return found


@contextlib.contextmanager
def frozen(pids):
    """None of them runs, none ends, and no connection is closed."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def sources(service, node):
    answer = service.call("GET", f"/api/v1/nodes/{node}/latest", "viewer")
    return answer.status_code == 200 and answer.json()["items"][0]["source"]


def test_postgresql_frozen(loaded):
    service, load = loaded.service, loaded.load
    node = load.names[0]
    wait_for("a latest value from the hot tier",
             lambda: sources(service, node) == "hot")
    all_of_it = processes_in(os.path.realpath(service.state / "pg"))
    assert len(all_of_it) > 5
    began = time.monotonic()
    with frozen(all_of_it):
        time.sleep(2)  # what was on its way
        count = load.acknowledged_count()
        while time.monotonic() < began + FROZEN_S:
            assert sources(service, node) == "hot"
            assert service.call("GET", "/health").status_code == 200
            time.sleep(1)
        assert load.acknowledged_count() == count, "200 without a commit"
        assert service.call("GET", "/ready").status_code == 503
    loaded.back(time.monotonic(), 30)
    wait_for("/ready", service.ready, loaded.BACK_WITHIN)
    loaded.prove(frozen_s=FROZEN_S)


def test_redis_frozen(loaded):
    service = loaded.service
    node = loaded.load.names[0]
    began = time.monotonic()
    with frozen([service.pid("redis")]):
        for _ in range(8):
            assert sources(service, node), "an answer from PostgreSQL"
            time.sleep(1)
        loaded.back(time.monotonic())
    wait_for("a latest value from the hot tier",
             lambda: sources(service, node) == "hot", loaded.BACK_WITHIN)
    assert not loaded.refused_since(began), "ingest waited for Redis"
    loaded.prove()


def test_postgresql_restarted_many_times(loaded):
    service, load = loaded.service, loaded.load
    began, before = time.monotonic(), load.acknowledged_count()
    service.lib(f"for i in $(seq {RESTARTS}); do "
                "halt postgres INT 8; postgres_start; sleep 0.7; done", 600)
    took = time.monotonic() - began
    between = load.acknowledged_count() - before
    loaded.back(time.monotonic())
    loaded.prove(restarts=RESTARTS, restarts_s=round(took, 1),
                 acknowledged_between=between)
