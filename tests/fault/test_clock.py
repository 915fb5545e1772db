"""The clock of the service's machine is set back an hour under load, and
later put right."""

import time

import pytest

from support.clock import start_again
from support.service import wait_for

HOUR_US = 3600 * 1_000_000


def cycle_of(service):
    return service.sql("SELECT cycle FROM loop_status")[0][0]


@pytest.fixture
def shifted(under_load):
    """A service under load, and its clock."""
    loaded = under_load(ahead=False)  # what is ahead now would be refused
    clock = start_again(loaded.service)
    loaded.back(time.monotonic())
    return loaded, clock


def test_clock_set_back_an_hour(shifted):
    loaded, clock = shifted
    service, moment = loaded.service, time.monotonic()

    def goes_on():
        loaded.more(3000)
        cycle = cycle_of(service)
        wait_for("three cycles more", lambda: cycle_of(service) > cycle + 3)

    clock.shift(-HOUR_US)
    goes_on()
    old, = service.sql("SELECT count(*) FROM readings WHERE node LIKE 'LOAD-%%'"
                       " AND received_at < now() - interval '59 min'")[0]
    assert old > 1000, "the clock was not set back"
    clock.shift(0)
    goes_on()
    assert not loaded.refused_since(moment)
    loaded.prove(received_an_hour_ago=old)
