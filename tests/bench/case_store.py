"""Cases of storing: the loop's merge beside ingest, and history by import."""

import os
import pathlib
import statistics
import subprocess
import time

import case_requests
from support.service import ROOT, wait_for

TICK = os.sysconf("SC_CLK_TCK")
IMPORT_SERIES = 100
IMPORT_ROWS = 500000
LOG_BYTES = """
    SELECT sum(cardinality(series)), sum(pg_column_size(series) +
        pg_column_size(ts) + pg_column_size(value) + pg_column_size(quality) +
        24 + 4 + 8 * 4 + pg_column_size(id) + 16)
    FROM ingest_log"""


def ticks(stat):
    """User and system seconds of a process' or thread's stat file."""
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def loop_cpu(service):
    """Seconds of the loop: the workers' task threads and its connection."""
    threads = sum(
        ticks(task / "stat") for worker in service.workers()
        for task in pathlib.Path(f"/proc/{worker}/task").iterdir()
        if task.name != str(worker))
    backends = service.sql("SELECT pid FROM pg_stat_activity WHERE"
                           " application_name LIKE 'penstock loop%%'")
    return threads, sum(ticks(pathlib.Path(f"/proc/{pid}/stat"))
                        for pid, in backends)


def merge_beside(bench, batch):
    """CPU time is taken until the log is empty again: so it is that of every
    reading, whichever share of the cores the loop got meanwhile."""
    case_requests.make_series(bench, batch * case_requests.GROUPS)
    bench.drained()
    service, seconds = bench.service, max(12, 3 * bench.seconds)
    merged = "penstock_loop_readings_merged_total"
    before, start = loop_cpu(service), bench.metric(merged)
    case_requests.wrk(service.url + "/api/v1/readings", "post.lua", seconds,
                      batch, case_requests.GROUPS, service.device_key)
    meanwhile = bench.metric(merged) - start
    rows, size = service.sql(LOG_BYTES)[0]
    began = time.monotonic()
    bench.drained()
    took = time.monotonic() - began
    wait_for("the cycle's count", lambda: bench.metric(merged) - start
             >= meanwhile + (rows or 0))
    count = bench.metric(merged) - start
    thread, backend = (b - a for a, b in zip(before, loop_cpu(service)))
    theirs = statistics.median(case_requests.insert(bench, batch, 1)[3]
                               for _ in range(bench.rounds))
    ours = count / (thread + backend)
    bench.row(f"loop merging POSTs of {batch:,}, one core",
              (ours, None, None), "readings/s of CPU",
              f"INSERT … ON CONFLICT, one connection {theirs:,.0f} readings/s "
              "of CPU", ours / theirs, 2, 5)
    bench.note(f"{batch * case_requests.GROUPS:,} series: the loop merged "
               f"{meanwhile / seconds:,.0f} readings/s while POSTs ran as fast "
               f"as they could, then {rows or 0:,} in {took:.1f} s; in all "
               f"{thread:.1f} s of its own CPU and {backend:.1f} s of its "
               "connection's")
    if rows:
        bench.note(f"log: {size / rows:.1f} bytes a reading, not yet merged")


def merge(bench):
    for batch in (100, 1000):
        merge_beside(bench, batch)


def cycle(bench):
    """A cycle that merges and judges one new reading of 1,000 series."""
    case_requests.make_series(bench, 1000)
    bench.drained()
    phases = [p + "_us" for p in ("monitor", "analyze", "plan", "execute")]
    took = []
    for step in range(3):
        ts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        answer = bench.service.call(
            "POST", "/api/v1/readings", "device", json={"readings": [
                {"node": f"BENCH-{i}", "metric": "pressure", "ts": ts,
                 "value": 30 + step + i / 1000} for i in range(1000)]})
        assert answer.json()["accepted"] == 1000, answer.text
        bench.drained()
        took.append(wait_for("its figures", lambda: next(
            (f for f, in bench.service.sql("SELECT figures FROM loop_status")
             if f["merged"] == 1000), None)))
        time.sleep(1)
    f = min(took, key=lambda t: sum(t[p] for p in phases))
    bench.note("a loop cycle, 1,000 series with new data: "
               f"{sum(f[p] for p in phases) / 1000:.0f} ms ("
               + ", ".join(f"{p[:-3]} {f[p] / 1000:.1f}" for p in phases)
               + f"), {f['memory_bytes'] / 2**20:.1f} MiB of its own")


def history(path, number, names):
    """The same rows for ours and for psql: a quarter-minute SCADA export."""
    month = f"2023-{number + 1:02d}"
    with path.open("w") as ours, path.with_suffix(".ids").open("w") as theirs:
        ours.write("node,metric,ts,value\n")
        for step in range(IMPORT_ROWS // IMPORT_SERIES):
            day, second = divmod(step * 15, 86400)
            ts = (f"{month}-{day + 1:02d}T{second // 3600:02d}:"
                  f"{second // 60 % 60:02d}:{second % 60:02d}Z")
            for i, (code, series) in enumerate(names):
                value = f"{ts},{30 + (step * 7 + i * 13) % 977 / 100:.2f}\n"
                ours.write(f"{code},pressure,{value}")
                theirs.write(f"{series},{value}")
    return month


def import_ours(bench, path):
    token = path.with_name("token")
    token.write_text(bench.service.token("engineer"))
    began = time.monotonic()
    done = subprocess.run(
        [ROOT / "scripts/import", path, "--token-file", token, "--url",
         bench.service.url, "--ca", bench.service.ca],
        capture_output=True, text=True, env=bench.service.env)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{IMPORT_ROWS} new, 0 known" in done.stdout, done.stdout
    return IMPORT_ROWS / took, None, None


def import_theirs(bench, path, month):
    bench.service.sql("DROP TABLE IF EXISTS baseline")
    bench.service.sql(
        "CREATE TABLE baseline (series int4, ts timestamptz, value float8,"
        " PRIMARY KEY (series, ts)) PARTITION BY RANGE (ts)")
    bench.service.sql(
        "CREATE TABLE baseline_1 PARTITION OF baseline FOR VALUES FROM (%s)"
        " TO (%s)", f"{month}-01 00:00:00+00", f"{month}-28 00:00:00+00")
    began = time.monotonic()
    subprocess.run(
        ["psql", "-Xqd", bench.service.conninfo, "-v", "ON_ERROR_STOP=1", "-c",
         f"\\copy baseline FROM '{path}' (FORMAT csv)"], check=True)
    return IMPORT_ROWS / (time.monotonic() - began), None, None


def bulk(bench):
    case_requests.make_series(bench, 1000)
    bench.drained()
    names = bench.service.sql(
        "SELECT n.code, s.id FROM nodes n JOIN series s ON s.node_id = n.id"
        " WHERE n.code LIKE 'BENCH-%%' ORDER BY s.id LIMIT %s", IMPORT_SERIES)
    path = bench.service.folder / "history.csv"
    ours, theirs = [], []
    for number in range(bench.rounds):
        month = history(path, number, names)
        ours.append(import_ours(bench, path))
        theirs.append(import_theirs(bench, path.with_suffix(".ids"), month))
    rates = [statistics.median(r[0] for r in side) for side in (ours, theirs)]
    bench.row(f"import of {IMPORT_ROWS:,} rows of CSV", (rates[0], None, None),
              "readings/s", "psql \\copy of (series, time, value) with key, "
              f"partitioned {rates[1]:,.0f} readings/s", rates[0] / rates[1],
              1, 2)


CASES = {"merge": merge, "cycle": cycle, "import": bulk}
