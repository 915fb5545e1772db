"""Measures a Penstock of its own against what bounds it, in one run on one
machine; the load generator runs there too and is counted against us.

Ratios are the figures to quote: each is taken from measurements that took
turns (ours, theirs, ours, theirs …) so that a machine that changes its speed
changes both; the median of each side is used.
"""

import argparse
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "http")]

import case_fit  # noqa: E402
import case_loop  # noqa: E402
import case_requests  # noqa: E402
import case_scale  # noqa: E402
import case_store  # noqa: E402
from edge_probe import Probe  # noqa: E402
from support.service import (  # noqa: E402
    ROOT, Service, free_port, wait_for)

CASES = {**case_requests.CASES, **case_store.CASES, **case_scale.CASES,
         **case_loop.CASES, **case_fit.CASES}
HEAD = ("case", "ours", "p50 ms", "p99 ms", "against", "ratio", "must", "aim",
        "")


def median(runs):
    return tuple(statistics.median(column) for column in zip(*runs))


class Bench:
    """Servers are started when a case first asks for them."""

    def __init__(self, options):
        self.seconds, self.rounds = options.seconds, options.rounds
        self.build, self.readings = options.build, options.readings
        self.data = options.data
        self.rows, self.notes = [], []
        self._service = self._empty = self._filled = None
        self.leave = False  # the service of `filled`, running

    # -- what came out ------------------------------------------------------

    def row(self, case, ours, unit, against, ratio, must, aim):
        rate, *latency = ours
        row = (case, f"{rate:,.0f} {unit}" if rate >= 100 else
               f"{rate:.2f} {unit}",
               *("" if v is None else f"{v:.2f}" for v in latency), against,
               f"{ratio:.2f}", f"{must:g}", f"{aim:g}",
               "reached" if ratio >= must else "MISSED")
        self.rows.append(row)
        print("  ".join(filter(None, row)), flush=True)

    def note(self, text):
        self.notes.append(text)
        print("  " + text, flush=True)

    def table(self):
        rows = [HEAD, *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
        print()
        for r in rows:
            print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())

    # -- servers ------------------------------------------------------------

    @property
    def service(self):
        if self._service is None:
            self._service = Service(PENSTOCK_LOG_LEVEL="warn")
            self._service.start()
        return self._service

    @property
    def empty(self):
        """The same edge with an empty handler behind it."""
        if self._empty is None:
            folder = self.service.folder / "empty"
            folder.mkdir()
            self._empty = Probe(folder, free_port(), workers=2)
        return self._empty

    @property
    def filled(self):
        """Another service, with the generated readings: its own ones, or
        those of an earlier run, whose service may be at work."""
        if self._filled is None:
            service = Service(self.data, PENSTOCK_LOG_LEVEL="warn",
                              PENSTOCK_LOOP_PERIOD=1000)
            self.leave = self.data is not None and service.join()
            self._filled = service
            if not self.leave:
                service.start()
            # The generator writes these last.
            if not service.sql("SELECT 1 FROM segment_spans LIMIT 1"):
                self.generate(service)
            disk, = service.sql(
                "SELECT pg_database_size(current_database())")[0]
            self.note(f"the database takes {disk / 1e6:,.0f} MB")
        return self._filled

    def generate(self, service):
        done = subprocess.run(
            [self.build / "tests/bench/generate", service.conninfo,
             str(self.readings), str(int(time.time()))],
            capture_output=True, text=True, check=True)
        made, took = done.stdout.split()
        self.note(f"made {int(made):,} simulated readings of 10,000 series "
                  f"in {took} s")
        service.stop()  # it knows nothing of them yet
        service.start()

    def remove(self):
        if self._empty is not None:
            self._empty.stop()
        for service in (self._service, self._filled):
            if service is not None:
                service.remove(self.leave and service is self._filled)

    def attempt(self, case):
        """False if it could not be measured; the others still can."""
        try:
            CASES[case](self)
            return True
        except (AssertionError, subprocess.SubprocessError) as error:
            print(f"{case}: {error}", file=sys.stderr, flush=True)
            return False

    # -- for the cases ------------------------------------------------------

    def turns(self, *sides):
        """Medians of each side, measured in turns."""
        runs = [[side() for side in sides] for _ in range(self.rounds)]
        return [median(column) for column in zip(*runs)]

    def metric(self, name, service=None):
        text = (service or self.service).call("GET", "/metrics").text
        return int(re.search(rf"^{re.escape(name)} (\d+)", text, re.M)
                   .group(1))

    def drained(self):
        wait_for("an empty log", lambda: self.service.sql(
            "SELECT count(*) FROM ingest_log")[0][0] == 0, 300, 0.5)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("case", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if absent")
    p.add_argument("--seconds", type=int, default=4,
                   help="length of one measurement (1 to 60)")
    p.add_argument("--rounds", type=int, default=3,
                   help="measurements of each side (1 to 12)")
    p.add_argument("--readings", type=int, default=4000000,
                   help="generated ones that are asked for and counted"
                   " (100,000 to 2,000,000,000; default %(default)d)")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR",
                   help="state of the service with the generated readings: "
                   "they are made there if there are none, and stay. Case fill "
                   "leaves it running, other cases leave it as it was")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    options = p.parse_args()
    if not (1 <= options.seconds <= 60 and 1 <= options.rounds <= 12
            and 100000 <= options.readings <= 2000000000):
        p.error("out of range")
    if unknown := set(options.case) - set(CASES):
        p.error(f"no such case: {', '.join(unknown)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # by way of remove()
    bench = Bench(options)
    try:
        failed = [case for case in options.case or CASES
                  if not bench.attempt(case)]
    finally:
        bench.remove()
    bench.table()
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
