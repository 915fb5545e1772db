"""Measures a Penstock of its own against what bounds it, in one run on one
machine; the load generator runs there too and is counted against us.

Ratios are the figures to quote: each is taken from measurements that took
turns (ours, theirs, ours, theirs …) so that a machine that changes its speed
changes both; the median of each side is used.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "http")]

from edge_probe import Probe  # noqa: E402
from support.service import (  # noqa: E402
    ROOT, Service, free_port, wait_for)

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 64
GROUPS = 64  # more groups of series than requests in flight: see post.lua


def wrk(url, script, seconds, *arguments):
    """requests/s, p50 ms, p99 ms, errors."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s",
         "-s", HERE / script, url, "--", *map(str, arguments)],
        capture_output=True, text=True, timeout=seconds + 60)
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    rate, p50, p99, errors = map(float, found.groups())
    assert errors == 0, f"{url}: {errors:.0f} errors\n{done.stdout}"
    return rate, p50, p99


def median(runs):
    return tuple(statistics.median(column) for column in zip(*runs))


class Bench:
    def __init__(self, seconds, rounds, build):
        self.seconds, self.rounds, self.build = seconds, rounds, build
        self.rows = []
        self.service = Service(PENSTOCK_LOG_LEVEL="warn")
        self.empty = None  # the same edge with an empty handler behind it

    def row(self, case, ours, unit, against, ratio, must):
        rate, p50, p99 = ours
        verdict = "" if ratio is None else (
            "reached" if ratio >= must else "MISSED")
        self.rows.append((
            case, f"{rate:,.0f} {unit}", f"{p50:.2f}", f"{p99:.2f}", against,
            "" if ratio is None else f"{ratio:.2f}",
            "" if must is None else f"{must:.2f}", verdict))
        print("  ".join(filter(None, self.rows[-1])), flush=True)

    def turns(self, ours, theirs):
        """Medians of both sides, measured in turns."""
        a, b = [], []
        for _ in range(self.rounds):
            a.append(ours())
            b.append(theirs())
        return median(a), median(b)

    # -- set-up -------------------------------------------------------------

    def make_series(self, count):
        """In SQL, since creating tens of thousands is not what is measured."""
        self.service.sql(
            "INSERT INTO nodes (code, type) SELECT 'BENCH-' || i, 'junction'"
            " FROM generate_series(0, %s) i ON CONFLICT DO NOTHING", count - 1)
        self.service.sql(
            "INSERT INTO series (node_id, metric_id, unit, kind)"
            " SELECT n.id, 2, 'm', 'instant' FROM nodes n"
            " WHERE n.code LIKE 'BENCH-%%' ON CONFLICT DO NOTHING")
        answer = self.service.call(
            "POST", "/api/v1/readings", "device", json={
                "node": f"BENCH-{count - 1}", "metric": "pressure",
                "ts": "2020-01-01T00:00:00Z", "value": 1})
        assert answer.status_code == 200, answer.text

    def accepted(self):
        text = self.service.call("GET", "/metrics").text
        return int(re.search(
            r'penstock_readings_total\{result="accepted"\} (\d+)',
            text).group(1))

    def drained(self):
        wait_for("an empty log", lambda: self.service.sql(
            "SELECT count(*) FROM ingest_log")[0][0] == 0, 120, 0.5)

    # -- cases --------------------------------------------------------------

    def get_latest(self):
        answer = self.service.call(
            "POST", "/api/v1/readings", "device", json={
                "node": "BENCH-1", "metric": "pressure",
                "ts": "2020-01-01T00:00:00Z", "value": 1})
        assert answer.json()["accepted"] == 1, answer.text
        token = self.service.token("viewer")
        ours, empty = self.turns(
            lambda: wrk(self.service.url + "/api/v1/nodes/BENCH-1/latest",
                        "get.lua", self.seconds, token),
            lambda: wrk(self.empty.url + "/empty", "get.lua", self.seconds))
        self.row("GET latest of one node", ours, "requests/s",
                 f"empty handler {empty[0]:,.0f} requests/s",
                 ours[0] / empty[0], 0.5)

    def post(self, batch):
        """Readings/s; asserts that every one of them was accepted."""
        before = self.accepted()
        rate, p50, p99 = wrk(
            self.service.url + "/api/v1/readings", "post.lua", self.seconds,
            batch, GROUPS if batch > 1 else 1000, self.service.device_key)
        sent = rate * self.seconds * batch
        taken = self.accepted() - before
        # wrk stops with requests in flight: those are taken, not counted.
        assert taken >= 0.97 * sent, f"sent {sent:.0f}, accepted {taken}"
        return rate * batch, p50, p99

    def post_one(self):
        ours, empty = self.turns(
            lambda: self.post(1),
            lambda: wrk(self.empty.url + "/empty", "get.lua",
                        self.seconds, "", "post"))
        self.row("POST of one reading", ours, "readings/s",
                 f"empty handler, POST {empty[0]:,.0f} requests/s",
                 ours[0] / empty[0], 0.25)

    def insert(self, batch):
        done = subprocess.run(
            [self.build / "tests/bench/insert_baseline",
             self.service.conninfo, str(batch), "2", str(self.seconds)],
            capture_output=True, text=True, check=True)
        return tuple(map(float, done.stdout.split()))

    def post_many(self, batch, must):
        self.make_series(batch * GROUPS)
        ours, insert = self.turns(lambda: self.post(batch),
                                  lambda: self.insert(batch))
        self.row(f"POST of {batch:,} readings", ours, "readings/s",
                 f"INSERT … ON CONFLICT, two connections "
                 f"{insert[0]:,.0f} readings/s, p50 {insert[1]:.2f}, "
                 f"p99 {insert[2]:.2f}", ours[0] / insert[0], must)

    def loop_cycle(self):
        """A cycle that merges and judges one new reading of 1,000 series."""
        self.drained()
        took = []
        for step in range(3):
            ts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            answer = self.service.call(
                "POST", "/api/v1/readings", "device", json={"readings": [
                    {"node": f"BENCH-{i}", "metric": "pressure", "ts": ts,
                     "value": 30 + step + i / 1000} for i in range(1000)]})
            assert answer.json()["accepted"] == 1000, answer.text
            self.drained()
            figures, = self.service.sql("SELECT figures FROM loop_status")[0]
            took.append(figures)
            time.sleep(1)
        memory = re.findall(r"penstock_worker_resident_bytes\{.*?\} (\d+)",
                            self.service.call("GET", "/metrics").text)
        phases = [p + "_us" for p in ("monitor", "analyze", "plan",
                                      "execute")]
        f = min(took, key=lambda t: sum(t[p] for p in phases))
        print("loop cycle, 1,000 series with new data: "
              f"{sum(f[p] for p in phases) / 1000:.0f} ms ("
              + ", ".join(f"{p[:-3]} {f[p] / 1000:.1f}" for p in phases)
              + f"), {f['memory_bytes'] / 2**20:.1f} MiB of the cycle's own")
        print("resident memory per worker: " + ", ".join(
            f"{int(m) / 2**20:.0f} MiB" for m in memory))

    def run(self):
        folder = self.service.folder / "empty"
        folder.mkdir()
        self.empty = Probe(folder, free_port(), workers=2)
        self.service.start()
        self.make_series(1000)
        self.get_latest()
        self.post_one()
        self.post_many(100, 0.8)
        self.post_many(1000, 1.0)
        self.loop_cycle()

    def table(self):
        head = ("case", "ours", "p50 ms", "p99 ms", "against", "ratio",
                "must reach", "")
        widths = [max(len(r[i]) for r in [head, *self.rows])
                  for i in range(len(head))]
        print()
        for r in [head, *self.rows]:
            print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seconds", type=int, default=5,
                   help="length of one measurement (1 to 60)")
    p.add_argument("--rounds", type=int, default=3,
                   help="measurements of each side (1 to 20)")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    options = p.parse_args()
    if not (1 <= options.seconds <= 60 and 1 <= options.rounds <= 20):
        p.error("out of range")
    bench = Bench(options.seconds, options.rounds, options.build)
    try:
        bench.run()
    finally:
        if bench.empty is not None:
            bench.empty.stop()
        bench.service.remove()
    bench.table()


if __name__ == "__main__":
    main()
