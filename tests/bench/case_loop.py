"""Cases of the loop: what a cycle costs as series grow and as more of them
change, and how soon an anomaly and its plan are there after a POST."""

import datetime
import random
import re
import statistics
import time

from support.service import Service, wait_for

PERIOD_MS = 500  # of the loop whose cycles are looked at
CYCLES = 5
SIZES = 1000, 10000, 100000
CHANGED = 0, 1000, 10000
PHASES = "monitor_us", "analyze_us", "plan_us", "execute_us"
TRIALS = 60


def grow(service, count):
    service.sql(
        "INSERT INTO nodes (code, type) SELECT 'LOOP-' || i, 'junction'"
        " FROM generate_series(1, %s) i ON CONFLICT DO NOTHING", count)
    service.sql(
        "INSERT INTO series (node_id, metric_id, unit, kind, cadence_s,"
        " silence_s, max_rate_per_min, outlier_k) SELECT id, 2, 'm', 'instant',"
        " 15, 3600, 1000, 12 FROM nodes WHERE code LIKE 'LOOP-%%'"
        " ON CONFLICT DO NOTHING")


def keep_cycles(service):
    """Each cycle's figures, which the status keeps of the last one only."""
    service.sql("CREATE TABLE bench_cycles (cycle bigint, figures jsonb)")
    service.sql("GRANT INSERT ON bench_cycles TO PUBLIC")
    service.sql("CREATE FUNCTION bench_keep() RETURNS trigger LANGUAGE plpgsql"
                " AS $$BEGIN INSERT INTO bench_cycles VALUES (NEW.cycle,"
                " NEW.figures); RETURN NULL; END$$")
    service.sql("CREATE TRIGGER bench_keep AFTER UPDATE ON loop_status FOR EACH"
                " ROW EXECUTE FUNCTION bench_keep()")


def log(service, changed):
    """One reading of each of the first series, as a worker writes them."""
    service.sql(
        "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts,"
        " value, quality) SELECT now(), now(), now(), array_agg(id),"
        " array_agg(now()), array_agg(20 + random()),"
        " array_agg(0::int2) FROM (SELECT s.id, row_number() OVER (ORDER BY"
        " s.id) AS i FROM series s JOIN nodes n ON n.id = s.node_id WHERE"
        " n.code LIKE 'LOOP-%%' ORDER BY s.id LIMIT %s) s GROUP BY i / 1000",
        changed)


def next_cycle(service, merged):
    """The figures of the next cycle that merges so many."""
    before, = service.sql("SELECT max(cycle) FROM bench_cycles")[0]
    if merged > 0:
        log(service, merged)
    return wait_for("the cycle", lambda: service.sql(
        "SELECT figures FROM bench_cycles WHERE cycle > %s AND"
        " (figures->>'merged')::int8 >= %s ORDER BY cycle LIMIT 1",
        before or 0, merged), 60, 0.05)[0][0]


def resident(service):
    found = re.findall(r"penstock_worker_resident_bytes\{.*?\} (\d+)",
                       service.call("GET", "/metrics").text)
    return max(map(int, found)) / 2**20


def cost(bench, service, size, changed):
    runs = [next_cycle(service, changed) for _ in range(CYCLES)]
    each = [statistics.median(r[p] for r in runs) / 1000 for p in PHASES]
    arena = statistics.median(r["memory_bytes"] for r in runs) / 2**20
    bench.note(
        f"{size:,} series, {changed:,} changed: cycle {sum(each):.1f} ms ("
        + ", ".join(f"{p[:-3]} {ms:.1f}" for p, ms in zip(PHASES, each))
        + f"), {arena:.2f} MiB of its arena")
    return sum(each)


def cycles(bench):
    service = Service(PENSTOCK_LOG_LEVEL="warn",
                      PENSTOCK_LOOP_PERIOD=PERIOD_MS)
    costs = {}
    try:
        service.start()
        keep_cycles(service)
        for size in SIZES:
            grow(service, size)
            known(service, size)
            for changed in CHANGED:
                if changed <= size:
                    costs[size, changed] = cost(bench, service, size, changed)
            bench.note(f"{size:,} series: the worker of the loop has "
                       f"{resident(service):.0f} MiB resident")
    finally:
        service.remove()
    small, large = costs[SIZES[0], 1000], costs[SIZES[-1], 1000]
    bench.row("cycle in which 1,000 series change", (small, None, None),
              "ms with 1,000 series", f"{large:.1f} ms with 100,000",
              small / large, 0.5, 0.9)


def known(service, size):
    """The loop knows them all, and has met those that will change."""
    for _ in range(2):
        next_cycle(service, min(size, max(CHANGED)))
    wait_for("an empty log", lambda: service.sql(
        "SELECT count(*) FROM ingest_log")[0][0] == 0, 60, 0.2)


# --- from a POST to its plan -------------------------------------------------

TEMPLATE = {
    "code": "LOOP-T", "name": "Close the inlet", "metric": "flow",
    "anomaly_type": "threshold", "direction": "high",
    "least_severity": "critical", "effect_metric": "flow",
    "effect_direction": "low", "effect_least": 5, "effect_window_s": 600,
    "actions": [{"step": 1, "action": "close_valve", "target_type": "valve",
                 "target_relation": "inlet"}]}


def make_places(service, count):
    service.sql("INSERT INTO nodes (code, type) VALUES ('BURST-0', 'junction')")
    service.sql("INSERT INTO gateways (code, url) VALUES ('BURST-G',"
                " 'http://127.0.0.1:9')")
    service.sql("INSERT INTO nodes (code, type) SELECT 'BURST-' || i, 'meter'"
                " FROM generate_series(1, %s) i", count)
    service.sql("INSERT INTO series (node_id, metric_id, unit, kind) SELECT id,"
                " 1, 'm3/h', 'instant' FROM nodes WHERE code LIKE 'BURST-%%'"
                " AND type = 'meter'")
    service.sql("INSERT INTO thresholds (series_id, direction, severity,"
                " set_level, clear_level) SELECT s.id, 'high', 'critical', 45,"
                " 40 FROM series s JOIN nodes n ON n.id = s.node_id WHERE"
                " n.code LIKE 'BURST-%%'")
    service.sql("INSERT INTO links (code, type, from_node, to_node, gateway_id)"
                " SELECT 'V-' || n.code, 'valve', f.id, n.id, g.id FROM nodes"
                " n, nodes f, gateways g WHERE n.code LIKE 'BURST-%%' AND"
                " n.type = 'meter' AND f.code = 'BURST-0' AND g.code ="
                " 'BURST-G'")
    made = service.call("POST", "/api/v1/plan-templates", "engineer",
                        json=TEMPLATE)
    assert made.status_code == 201, made.text


def post(service, node, value):
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "node": node, "metric": "flow", "value": value,
        "ts": datetime.datetime.now(datetime.timezone.utc).isoformat()})
    assert answer.json()["accepted"] == 1, answer.text


def trial(service, session, node):
    """Seconds from before the POST to the anomaly, and to its plan."""
    began = time.monotonic()
    post(service, node, 80)
    anomaly = found = None
    while time.monotonic() - began < 60:
        if anomaly is None:
            items = session.get(service.url + "/api/v1/anomalies",
                                params={"node": node}).json()["items"]
            if items:
                anomaly, found = items[0]["id"], time.monotonic() - began
        if anomaly is not None and session.get(
                f"{service.url}/api/v1/anomalies/{anomaly}").json()["plans"]:
            return found, time.monotonic() - began
        time.sleep(0.005)
    raise AssertionError(f"{node}: no plan within a minute")


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def answer(bench, period):
    service = Service(PENSTOCK_LOG_LEVEL="warn", PENSTOCK_LOOP_PERIOD=period)
    try:
        service.start()
        make_places(service, TRIALS + 1)
        session = service.session("viewer")
        wait_for("the places to be known", lambda: service.call(
            "POST", "/api/v1/readings", "device", json={
                "node": f"BURST-{TRIALS}", "metric": "flow", "value": 1,
                "ts": "2026-01-01T00:00:00Z"}).json()["rejected"] == 0)
        trial(service, session, f"BURST-{TRIALS + 1}")
        took = []
        for i in range(1, TRIALS + 1):
            time.sleep(random.uniform(0, period / 1000))
            took.append(trial(service, session, f"BURST-{i}"))
    finally:
        service.remove()
    for what, values in zip(("anomaly", "plan"), zip(*took)):
        bench.note(
            f"loop every {period:,} ms, POST to its {what} in a GET: p50 "
            f"{quantile(values, .5) * 1000:,.0f} ms, p99 "
            f"{quantile(values, .99) * 1000:,.0f} ms of {TRIALS}")


def answers(bench):
    answer(bench, 1000)


CASES = {"loop": cycles, "answers": answers}
