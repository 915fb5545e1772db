"""A service whose wall clock a test sets, by clock_shift.c."""

import mmap
import os
import pathlib
import shutil
import struct

from support.instance import Instance
from support.service import ROOT

LIBRARY = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "tests/fault/clock_shift.so"


class Clock:
    """The file that clock_shift.c reads."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        path.chmod(0o644)
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 8)

    def shift(self, us):
        self.memory[:] = struct.pack("=q", us)


def start_again(service):
    """Its Kore ends, if it runs, and begins anew by the clock that is
    returned."""
    clock = Clock(service.folder / "clock")
    library = service.folder / "clock_shift.so"  # the service user reads it
    shutil.copy(LIBRARY, library)
    service.lib("halt kore TERM 9")
    Instance(service, "kore", service.port, LD_PRELOAD=library,
             CLOCK_SHIFT=service.folder / "clock").start()
    return clock
