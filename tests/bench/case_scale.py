"""Cases of what is stored: query times, bytes in each tier, memory, start."""

import csv
import datetime
import os
import re
import statistics
import subprocess
import time

import redis
from support.service import ROOT, wait_for

DATA = ROOT.parent / "shared/data"
STATEMENTS = ROOT / "sql/statements"
UTC = datetime.timezone.utc
TURNS = 5  # of each query
GECCO = {"Tp": (1, "temperature"), "Cl": (1, "chlorine"), "pH": (1, "ph"),
         "Redox": (1, "redox"), "Leit": (1, "conductivity"),
         "Trueb": (1, "turbidity"), "Cl_2": (2, "chlorine"),
         "Fm": (1, "flow"), "Fm_2": (2, "flow")}


def stamp(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- making it apart from measuring ------------------------------------------

def fill(bench):
    """Readings are there and so is what the service reads before the first
    question; where --data says where, it is left running."""
    service = bench.filled
    hours_read(bench)
    bench.leave = bench.data is not None
    count, = service.sql("SELECT sum(n)::int8 FROM segments")[0]
    bench.note(f"{count:,} readings in {service.state}")


def hours_read(bench):
    wait_for("the hours in Redis", lambda: bench.metric(
        'penstock_hot_series{whole="true"}', bench.filled) >= 10000, 900, 1)


# --- queries ----------------------------------------------------------------

def psql(service, script):
    """Milliseconds that psql shows for the script's last statement."""
    done = subprocess.run(
        ["psql", "-XqAtd", service.conninfo, "-v", "ON_ERROR_STOP=1"],
        input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(re.findall(r"^Time: (\S+) ms", done.stdout, re.M)[-1])


def statement(name, types, *values):
    """Prepared and executed as the service does."""
    text = (STATEMENTS / f"{name}.sql").read_text()
    return (f"SET jit = off; PREPARE q({types}) AS {text};\n\\o /dev/null\n"
            f"\\timing on\nEXECUTE q({', '.join(values)});\n")


def buckets(ids, since, until, step, kind):
    ids = "'{" + ",".join(map(str, ids)) + "}'"
    return statement(
        "readings_buckets", "int4[], timestamptz, timestamptz, interval, text,"
        " text, boolean, int4", ids, f"'{since}'", f"'{until}'", f"'{step}'",
        f"'{kind}'", "'UTC'", "false", "NULL")


def questions(service, end):
    """Name, path, Accept, what psql is given."""
    ids = [i for i, in service.sql(
        "SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id"
        " WHERE n.code LIKE 'SIM-%%' ORDER BY s.id")]
    day, week, year = (end - datetime.timedelta(days=d) for d in (1, 7, 365))
    until = stamp(end)
    one = "/api/v1/readings?node=SIM-0&metric=pressure&to=" + until
    hundred = ",".join(f"SIM-{i}/pressure" for i in range(1, 101))
    yield ("latest of 10,000 series", "/api/v1/latest?metric=pressure",
           "application/json", statement(
               "latest_by_series", "int4[]",
               "'{" + ",".join(map(str, ids)) + "}'"))
    yield ("one series, 7 days, raw, as CSV", f"{one}&from={stamp(week)}",
           "text/csv",
           "\\o /dev/null\n\\timing on\nSELECT u.* FROM segments g,"
           f" packed_readings(g.data) u WHERE g.series = {ids[0]}"
           f" AND g.class = 1 AND g.t0 >= date_trunc('month', timestamptz"
           f" '{stamp(week)}', 'UTC') AND g.t0 < '{until}'"
           f" AND g.t1 >= '{stamp(week)}' AND u.ts >= '{stamp(week)}'"
           f" AND u.ts < '{until}';\n")
    yield ("one series, a year by day",
           f"{one}&from={stamp(year)}&bucket=1d&agg=avg,min,max,count",
           "application/json",
           buckets(ids[:1], stamp(year), until, "1 day", "day"))
    yield ("100 series, 24 h by 15 min",
           f"/api/v1/readings?series={hundred}&from={stamp(day)}&to={until}"
           "&bucket=15m&agg=avg,min,max,count", "application/json",
           buckets(ids[1:101], stamp(day), until, "15 min", "quarter"))


def queries(bench):
    service = bench.filled
    hours_read(bench)
    end, = service.sql("SELECT max(ts) FROM series_latest")[0]
    end = end.astimezone(UTC) + datetime.timedelta(seconds=1)
    session = service.session("viewer")
    for name, path, accept, script in questions(service, end):
        ours, theirs = [], []
        for _ in range(TURNS):
            began = time.monotonic()
            answer = session.get(service.url + path, timeout=120,
                                 headers={"Accept": accept})
            ours.append((time.monotonic() - began) * 1000)
            assert answer.status_code == 200, answer.text
            theirs.append(psql(service, script))
        bench.note(f"{name}: {statistics.median(ours):,.1f} ms "
                   f"({len(answer.content):,} bytes), the same in psql "
                   f"{statistics.median(theirs):,.1f} ms")


# --- bytes ------------------------------------------------------------------

def bwdf():
    with next((DATA / "bwdf").glob("inflow_utc_*.csv")).open() as file:
        for row in csv.DictReader(file):
            ts = row.pop("ts_utc")
            for dma, value in row.items():
                if value:
                    yield f"BWDF-{dma[3:]}", "flow", ts, value, "L/s"


def gecco():
    units = {"temperature": "degC", "chlorine": "mg/L", "ph": "1",
             "redox": "mV", "conductivity": "uS/cm", "turbidity": "NTU",
             "flow": "m3/h"}
    with next((DATA / "gecco").glob("*.csv")).open() as file:
        for row in csv.DictReader(file):
            ts = row["Time"].replace(" ", "T") + "Z"
            for column, (point, metric) in GECCO.items():
                if row[column] != "NA":
                    yield (f"GECCO-{point}", metric, ts, row[column],
                           units[metric])


def load(service, name, rows):
    """By import, then joined as at night; how many readings."""
    path = service.folder / f"{name}.csv"
    series, count = set(), 0
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["node", "metric", "ts", "value", "unit"])
        for row in rows:
            series.add(row[:2])
            out.writerow(row)
            count += 1
    for code in {s[0] for s in series}:
        service.sql("INSERT INTO nodes (code, type) VALUES (%s, 'junction')",
                    code)
    for code, metric in series:
        service.sql(
            "INSERT INTO series (node_id, metric_id, unit, kind) SELECT n.id,"
            " m.id, m.unit, m.kind FROM nodes n, metrics m"
            " WHERE n.code = %s AND m.code = %s", code, metric)
    time.sleep(2)  # until the workers know them
    token = service.folder / "token"
    token.write_text(service.token("engineer"))
    done = subprocess.run(
        [ROOT / "scripts/import", path, "--token-file", token, "--url",
         service.url, "--ca", service.ca],
        capture_output=True, text=True, env=service.env)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for("the nightly merge", lambda: not service.sql(
        "SELECT 1 FROM segment_spans WHERE (dirty OR done IS NOT NULL OR loose)"
        " AND at < date_trunc(CASE WHEN monthly THEN 'month' ELSE 'day' END,"
        " now(), 'UTC') LIMIT 1"), 120, 0.5)
    return count


def weigh(bench, name, since, until):
    """Partitions from `since` until before `until`, months as YYYYMM."""
    service = bench.filled
    parts = [p for p, in service.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent ="
        " 'segments'::regclass") if since <= p[-6:] < until]
    service.sql("DROP TABLE IF EXISTS bench_rows")
    service.sql("CREATE TABLE bench_rows (series int4, ts timestamptz,"
                " value float8, PRIMARY KEY (series, ts))")
    n = size = packed = vacuumed = 0
    for part in parts:
        found = service.sql(
            f"SELECT coalesce(sum(n), 0)::int8, pg_total_relation_size(%s),"
            f" coalesce(sum(length(data)), 0)::int8 FROM {part}", part)[0]
        if found[0] == 0:
            continue
        n, size, packed = n + found[0], size + found[1], packed + found[2]
        service.sql(f"VACUUM {part}")
        vacuumed += service.sql("SELECT pg_total_relation_size(%s)", part)[0][0]
        if service.sql("SELECT count(*) FROM bench_rows")[0][0] < 300000:
            service.sql(
                "INSERT INTO bench_rows SELECT g.series, u.ts, u.value"
                f" FROM {part} g, packed_readings(g.data) u ORDER BY 1, 2")
    rows, plain = service.sql("SELECT count(*), pg_total_relation_size("
                              "'bench_rows') FROM bench_rows")[0]
    ours, theirs = size / n, plain / rows
    bench.row(f"bytes after the nightly merge, {name}", (ours, None, None),
              f"bytes a reading, {n:,} of them",
              f"a row a reading with its key {theirs:.1f}", theirs / ours, 10,
              30)
    bench.note(f"{name}: {packed / n:.2f} bytes a reading packed; the rest is "
               f"keys, pages and indexes. After VACUUM {vacuumed / n:.2f}")


def archive(service, month):
    done = subprocess.run(
        [ROOT / "scripts/archive", "run", "--before", stamp(month), "--keep",
         "--grace", "0"], capture_output=True, text=True, env=service.env)
    assert done.returncode == 0, done.stdout + done.stderr
    return service.sql("SELECT sum(bytes) / sum(readings) FROM archive_files"
                       )[0][0]


def hot(bench):
    """Redis as a rebuild fills it, compared with PostgreSQL on the way."""
    service = bench.filled
    server = redis.Redis(unix_socket_path=os.path.realpath(
        service.state / "sock" / "redis.sock"))
    began = time.monotonic()
    hours_read(bench)
    took = time.monotonic() - began
    done = subprocess.run([ROOT / "scripts/verify-hot"], env=service.env,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    readings = int(re.search(r"readings compared (\d+)", done.stdout).group(1))
    info = server.info("memory")
    used = info["used_memory"] - info["used_memory_startup"]
    bench.note(f"hot: {used / readings:.2f} bytes a reading in Redis, all "
               f"that it holds for {readings:,} of the last 48 h, the running "
               f"hour included; equal to PostgreSQL (waited {took:.0f} s)")


def sizes(bench):
    service = bench.filled
    now = datetime.datetime.now(UTC)
    this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = (this - datetime.timedelta(days=1)).replace(day=1)
    hot(bench)
    first, = service.sql("SELECT min(t0) FROM segments")[0]
    weigh(bench, "simulated 15 s", first.astimezone(UTC).strftime("%Y%m"),
          this.strftime("%Y%m"))
    for name, rows, since, until in (("bwdf", bwdf, "202012", "202208"),
                                     ("gecco", gecco, "201608", "201610")):
        if not (DATA / name).is_dir():
            bench.note(f"{name}: skipped, there is no {DATA / name}")
            continue
        load(service, name, rows())
        weigh(bench, name, since, until)
    bench.note(f"cold: {archive(service, last):.2f} bytes a reading in Avro, "
               "all of the above but the last full month")
    for tier, _, readings, _, each in service.sql(
            (STATEMENTS / "storage_sizes.sql").read_text()):
        if each is not None:
            bench.note(f"{tier}: {each} bytes a reading, {readings:,} of them")


# --- memory, start ------------------------------------------------------------

def memory(bench):
    service = bench.filled
    service.sql("INSERT INTO nodes (code, type) SELECT 'MANY-' || i,"
                " 'junction' FROM generate_series(1, 90000) i"
                " ON CONFLICT DO NOTHING")
    service.sql("INSERT INTO series (node_id, metric_id, unit, kind) SELECT id,"
                " 2, 'm', 'instant' FROM nodes WHERE code LIKE 'MANY-%%'"
                " ON CONFLICT DO NOTHING")
    service.stop()
    began = time.monotonic()
    service.start()
    whole = time.monotonic() - began
    answer = service.call("GET", "/api/v1/nodes/MANY-90000/latest", "viewer")
    assert answer.status_code == 200, answer.text
    time.sleep(2)
    found = re.findall(r"penstock_worker_resident_bytes\{.*?\} (\d+)",
                       service.call("GET", "/metrics").text)
    bench.note("100,000 series: " + ", ".join(
        f"{int(m) / 2**20:.0f} MiB" for m in found)
        + " resident per worker (the first runs the loop)")
    bench.note(f"100,000 series: PostgreSQL, Redis and the service ready "
               f"{whole:.1f} s after scripts/run -d")


CASES = {"fill": fill, "queries": queries, "bytes": sizes, "memory": memory}
