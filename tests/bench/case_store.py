"""Cases of storing: the loop's merge beside ingest, and history by import."""

import datetime
import os
import pathlib
import statistics
import subprocess
import time

import case_requests
from support.service import ROOT, wait_for

TICK = os.sysconf("SC_CLK_TCK")
IMPORT_ROWS = 500000
IMPORTS = (("100 series at 15 s", 100, 15), ("100 hourly series", 100, 3600),
           ("1,000 hourly series", 1000, 3600))
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
                      batch, case_requests.GROUPS, service.device_key,
                      case_requests.THREADS)
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


def history(path, first, names, every):
    """The same rows for ours and for psql: a SCADA export, time by time, a
    reading of each series every so many seconds; the months it spans."""
    with path.open("w") as ours, path.with_suffix(".ids").open("w") as theirs:
        ours.write("node,metric,ts,value\n")
        for step in range(IMPORT_ROWS // len(names)):
            at = first + datetime.timedelta(seconds=step * every)
            ts = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            for i, (code, series) in enumerate(names):
                value = f"{ts},{30 + (step * 7 + i * 13) % 977 / 100:.2f}\n"
                ours.write(f"{code},pressure,{value}")
                theirs.write(f"{series},{value}")
    return (at.year - first.year) * 12 + at.month - first.month + 1


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


def import_theirs(bench, path, first, months):
    bench.service.sql("DROP TABLE IF EXISTS baseline")
    bench.service.sql(
        "CREATE TABLE baseline (series int4, ts timestamptz, value float8,"
        " PRIMARY KEY (series, ts)) PARTITION BY RANGE (ts)")
    for m in range(months):
        bench.service.sql(
            f"CREATE TABLE baseline_{m} PARTITION OF baseline FOR VALUES FROM"
            " (%s) TO (%s)", *(first.replace(
                year=first.year + n // 12, month=n % 12 + 1)
                for n in (m, m + 1)))
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
        " WHERE n.code LIKE 'BENCH-%%' ORDER BY s.id LIMIT 1000")
    path = bench.service.folder / "history.csv"
    year = 2019  # of which there is nothing yet
    for what, count, every in IMPORTS:
        ours, theirs = [], []
        for _ in range(bench.rounds):
            first = datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc)
            months = history(path, first, names[:count], every)
            ours.append(import_ours(bench, path))
            theirs.append(import_theirs(bench, path.with_suffix(".ids"),
                                        first, months))
            year -= 1
        rates = [statistics.median(r[0] for r in side)
                 for side in (ours, theirs)]
        bench.row(f"import of {IMPORT_ROWS:,} rows of CSV, {what}",
                  (rates[0], None, None), "readings/s",
                  "psql \\copy of (series, time, value) with key, partitioned "
                  f"{rates[1]:,.0f} readings/s", rates[0] / rates[1], 1, 2)


CASES = {"merge": merge, "cycle": cycle, "import": bulk}
