"""Cases of single requests: newest values, and posts of 1, 100 and 1,000."""

import pathlib
import re
import subprocess

from support.service import wait_for

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 64
THREADS = 2  # of wrk: one alone is busy before the empty handler is
GROUPS = 64  # more groups of series than requests in flight: see post.lua
NODES = 10000  # that have a newest value


def wrk(url, script, seconds, *arguments, connections=CONNECTIONS):
    """requests/s, p50 ms, p99 ms; fails if a request did."""
    done = subprocess.run(
        ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
         "-s", HERE / script, url, "--", *map(str, arguments)],
        capture_output=True, text=True, timeout=seconds + 60)
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    rate, p50, p99, errors = map(float, found.groups())
    assert errors == 0, f"{url}: {errors:.0f} errors\n{done.stdout}"
    return rate, p50, p99


def make_series(bench, count):
    """In SQL, since creating tens of thousands is not what is measured."""
    service = bench.service
    service.sql(
        "INSERT INTO nodes (code, type) SELECT 'BENCH-' || i, 'junction'"
        " FROM generate_series(0, %s) i ON CONFLICT DO NOTHING", count - 1)
    service.sql(
        "INSERT INTO series (node_id, metric_id, unit, kind)"
        " SELECT n.id, 2, 'm', 'instant' FROM nodes n"
        " WHERE n.code LIKE 'BENCH-%%' ON CONFLICT DO NOTHING")
    wait_for("the new series to be known", lambda: service.call(
        "POST", "/api/v1/readings", "device", json={
            "node": f"BENCH-{count - 1}", "metric": "pressure",
            "ts": "2020-01-01T00:00:00Z", "value": 1}).json()["rejected"] == 0)


def latest(bench):
    make_series(bench, NODES)
    for begin in range(0, NODES, 5000):
        answer = bench.service.call(
            "POST", "/api/v1/readings", "device", json={"readings": [
                {"node": f"BENCH-{i}", "metric": "pressure", "value": 31.5,
                 "ts": "2020-02-01T00:00:00Z"}
                for i in range(begin, begin + 5000)]})
        assert answer.json()["accepted"] == 5000, answer.text
    bench.drained()
    wait_for("the newest values in Redis", lambda: all(
        item["source"] == "hot" for item in bench.service.call(
            "GET", "/api/v1/latest?metric=pressure", "viewer")
        .json()["items"]))
    token, path = bench.service.token("viewer"), "/api/v1/nodes/BENCH-1/latest"
    # Both servers get the same requests: what the generator needs to make
    # them, which is CPU of the same machine, slows both down alike.
    one, many, empty_one, empty_many = bench.turns(*(
        lambda server=server, count=count: wrk(
            server.url + path, "get.lua", bench.seconds, token, *count)
        for server in (bench.service, bench.empty)
        for count in ((), (NODES,))))
    for name, ours, empty in (
            ("GET latest of one node", one, empty_one),
            (f"GET latest of {NODES:,} nodes at random", many, empty_many)):
        bench.row(name, ours, "requests/s",
                  f"empty handler {empty[0]:,.0f} requests/s",
                  ours[0] / empty[0], 0.75, 0.9)
        bench.note(f"{name}: p99 {ours[2]:.1f} ms, must be below 10")


def send(bench, server, batch):
    return wrk(server.url + "/api/v1/readings", "post.lua", bench.seconds,
               batch, GROUPS if batch > 1 else 1000, bench.service.device_key,
               THREADS)


def post(bench, batch):
    """Readings/s; asserts that every one of them was accepted."""
    before = bench.metric('penstock_readings_total{result="accepted"}')
    rate, p50, p99 = send(bench, bench.service, batch)
    sent = rate * bench.seconds * batch
    taken = bench.metric(
        'penstock_readings_total{result="accepted"}') - before
    # wrk stops with requests in flight: those are taken, not counted.
    assert taken >= 0.97 * sent, f"sent {sent:.0f}, accepted {taken}"
    return rate * batch, p50, p99


def post_one(bench):
    make_series(bench, 1000)
    ours, empty = bench.turns(lambda: post(bench, 1),
                              lambda: send(bench, bench.empty, 1))
    bench.row("POST of one reading", ours, "readings/s",
              f"empty handler, the same POST {empty[0]:,.0f} requests/s",
              ours[0] / empty[0], 0.5, 0.7)


def insert(bench, batch, connections=2):
    """readings/s, p50 and p99 ms of a batch, readings per CPU second."""
    done = subprocess.run(
        [bench.build / "tests/bench/insert_baseline", bench.service.conninfo,
         str(batch), str(connections), str(bench.seconds)],
        capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def post_many(bench, batch, must, aim):
    make_series(bench, batch * GROUPS)
    ours, theirs = bench.turns(lambda: post(bench, batch),
                               lambda: insert(bench, batch))
    bench.row(f"POST of {batch:,} readings", ours, "readings/s",
              f"INSERT … ON CONFLICT, two connections {theirs[0]:,.0f} "
              f"readings/s, p50 {theirs[1]:.2f}, p99 {theirs[2]:.2f}",
              ours[0] / theirs[0], must, aim)


def post_100(bench):
    post_many(bench, 100, 2.5, 5)


def post_1000(bench):
    post_many(bench, 1000, 3, 6)


CASES = {"latest": latest, "post1": post_one, "post100": post_100,
         "post1000": post_1000}
