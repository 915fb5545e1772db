"""The clock of the service's machine is set back an hour under load, and
later put right."""

import mmap
import os
import pathlib
import shutil
import struct
import time

import pytest

from support.instance import Instance
from support.service import ROOT, wait_for

LIBRARY = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "tests/fault/clock_shift.so"
HOUR_US = 3600 * 1_000_000


class Clock:
    """The file that clock_shift.c reads."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        path.chmod(0o644)
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 8)

    def shift(self, us):
        self.memory[:] = struct.pack("=q", us)


def cycle_of(service):
    return service.sql("SELECT cycle FROM loop_status")[0][0]


@pytest.fixture
def shifted(under_load):
    """A service under load, and its clock."""
    loaded = under_load(ahead=False)  # what is ahead now would be refused
    service = loaded.service
    clock = Clock(service.folder / "clock")
    library = service.folder / "clock_shift.so"  # the service user reads it
    shutil.copy(LIBRARY, library)
    service.lib("halt kore TERM 9")
    Instance(service, "kore", service.port, LD_PRELOAD=library,
             CLOCK_SHIFT=service.folder / "clock").start()
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
