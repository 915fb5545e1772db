"""Who listens misses nothing when PostgreSQL is restarted, workers are killed
or an instance dies: he comes back behind the last that he heard."""

import os
import signal
import time

import psycopg2
import pytest

from support.instance import Instance
from support.listener import Listener
from support.service import wait_for


def toggle(service):
    for what in "pause", "resume":
        service.sql("UPDATE loop_status SET paused = %s", what == "pause")


def proved(service, *listeners):
    """All that was committed, once, in order, by each."""
    toggle(service)
    stored = [i for i, in service.sql("SELECT id FROM events ORDER BY id")]
    for one in listeners:
        wait_for("the last event", lambda: one.events
                 and one.events[-1].id == stored[-1], 30)
        first = one.events[0].id
        assert [e.id for e in one.events] == \
            [i for i in stored if i >= first]
        assert "gap" not in one.types


def answers(service):
    try:
        return service.sql("SELECT true")
    except psycopg2.OperationalError:
        return None


def kill_postgres(service):
    service.kill("postgres")
    service.lib("postgres_start", 90)
    # Whoever else brings it back may have been first, and not be done.
    wait_for("PostgreSQL", lambda: answers(service), 30)


def kill_workers(service):
    old = service.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for("new workers", lambda: len(
        set(service.workers()) - set(old)) == len(old), 30)


@pytest.mark.parametrize("fault", [kill_postgres, kill_workers],
                         ids=lambda f: f.__name__)
def test_nothing_is_missed(own_service, fault):
    service = own_service()
    service.start()
    with Listener(service, forever=True) as one, \
            Listener(service, forever=True, role="admin") as two:
        for _ in range(3):
            toggle(service)
            fault(service)
            for _ in range(5):
                toggle(service)
                time.sleep(0.05)
        proved(service, one, two)
        if fault is kill_postgres:
            assert one.connections == 1 == two.connections
        else:
            assert one.connections > 1 < two.connections


def test_another_instance_goes_on(own_service):
    service = own_service()
    service.start()
    other = Instance(service)
    other.start()
    try:
        with Listener(service, forever=True,
                      ports=[other.port, service.port]) as one, \
                Listener(service, forever=True) as two:
            toggle(service)
            wait_for("both hear", lambda: len(one.events) == 2
                     and len(two.events) == 2)
            other.kill()
            toggle(service)
            proved(service, one, two)
            assert one.connections > 1
    finally:
        other.stop()
