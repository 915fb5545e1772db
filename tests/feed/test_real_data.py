"""Real data, fed through the API: nothing lost, nothing made up, nothing
stored twice, and thresholds raise anomalies at the hours the data says.

PENSTOCK_DATA: the data's folder, ../shared/data from the project's root if
not set. The service: one of the test's own when the whole suite runs
(PENSTOCK_TEST_WHOLE), else PENSTOCK_TEST_URL, _CA, _KEY_FILE, _TOKEN_FILE
(engineer) and PENSTOCK_TEST_DATABASE (its conninfo).
"""
import csv
import datetime
import math
import os
import pathlib
import re
import secrets
import statistics
import subprocess
import time
import types

import psycopg2
import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
FEED = pathlib.Path(
    os.environ.get("PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-feed"
DATA = pathlib.Path(os.environ.get("PENSTOCK_DATA", ROOT / "../shared/data"))
BWDF = DATA / "bwdf/inflow_utc_to_2022-07-24.csv"
BATADAL = DATA / "batadal/dataset04_labelled.csv"
NAMES = ("URL", "CA", "KEY_FILE", "TOKEN_FILE", "DATABASE")
WHOLE = os.environ.get("PENSTOCK_TEST_WHOLE")

pytestmark = [
    pytest.mark.skipif(not (BWDF.exists() and BATADAL.exists()),
                       reason=f"no real data in {DATA}"),
    pytest.mark.skipif(
        not WHOLE and not all("PENSTOCK_TEST_" + n in os.environ
                              for n in NAMES),
        reason="PENSTOCK_TEST_URL, _CA, _KEY_FILE, _TOKEN_FILE and _DATABASE "
               "are not all set")]

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the service is, and a prefix that no other run uses."""
    prefix = "R" + secrets.token_hex(3)
    if not WHOLE:
        yield types.SimpleNamespace(prefix=prefix, **{
            n.lower(): os.environ["PENSTOCK_TEST_" + n] for n in NAMES})
        return
    from support.service import Service
    s = Service(PENSTOCK_LOOP_PERIOD=500)
    try:
        s.start()
        secrets_folder = tmp_path_factory.mktemp("secrets")
        (secrets_folder / "key").write_text(s.device_key)
        (secrets_folder / "token").write_text(s.token("engineer"))
        yield types.SimpleNamespace(
            prefix=prefix, url=s.url, ca=s.ca, database=s.conninfo,
            key_file=secrets_folder / "key",
            token_file=secrets_folder / "token")
    finally:
        s.remove()


def call(place, method, path, body=None):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            method, place.url + path, json=body, verify=place.ca, timeout=30,
            headers={"Authorization": "Bearer " +
                     pathlib.Path(place.token_file).read_text().strip()})
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json()


def ask(place, sql, *values):
    connection = psycopg2.connect(place.database)
    try:
        cursor = connection.cursor()
        cursor.execute(sql, values)
        return cursor.fetchall()
    finally:
        connection.close()


def merged(place):
    """Waits until the loop has taken all that was fed."""
    end = time.monotonic() + 120
    while ask(place, "SELECT count(*) FROM ingest_log") != [(0,)]:
        assert time.monotonic() < end, "the loop did not take the log"
        time.sleep(0.2)


def feed(place, path, mapping, tmp_path, *options):
    """The figures of penstock-feed's summary. mapping: column -> series."""
    (tmp_path / "map.csv").write_text("column,node,metric,unit\n" + "".join(
        f"{column},{node},{metric},{unit}\n"
        for column, (node, metric, unit) in mapping.items()))
    run = subprocess.run(
        [FEED, path, "--map", tmp_path / "map.csv", "--url", place.url, "--ca",
         place.ca, "--key-file", place.key_file, *options],
        capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return {name: int(figure) for name, figure in
            re.findall(r"^(.+) (\d+)$", run.stdout, re.M)}


def read(path, time_column, when):
    """[(instant, {column: text})], as the csv module sees the file."""
    with open(path, newline="") as f:
        return [(when(row[time_column]), row) for row in csv.DictReader(f)]


def cells_of(rows, mapping, factor):
    """{(node, metric): {instant: canonical value}} of the non-empty cells."""
    return {(node, metric): {
        t: float(row[column]) * factor[unit] for t, row in rows if row[column]}
        for column, (node, metric, unit) in mapping.items()}


def check_stored(place, expected):
    """What PostgreSQL holds is exactly what the file has."""
    stored = {key: {} for key in expected}
    for node, metric, ts, value in ask(
            place, "SELECT node, metric, ts, value FROM readings "
            "WHERE node LIKE %s", place.prefix + "%"):
        if (node, metric) in stored:
            assert ts not in stored[node, metric]
            stored[node, metric][ts] = value
    for key, cells in expected.items():
        assert stored[key].keys() == cells.keys(), key
        for ts, value in cells.items():
            assert math.isclose(stored[key][ts], value, rel_tol=1e-12,
                                abs_tol=1e-12), (key, ts)


def test_ten_real_districts(place, tmp_path):
    mapping = {f"dma{i}": (f"{place.prefix}-DMA{i}", "flow", "L/s")
               for i in range(1, 11)}
    rows = read(BWDF, "ts_utc", lambda s: datetime.datetime.strptime(
        s, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
    expected = cells_of(rows, mapping, {"L/s": 3.6})
    n = sum(len(cells) for cells in expected.values())
    empty = sum(not row[column] for _, row in rows for column in mapping)
    assert n > 100000 and empty > 1000  # or it proves little

    first = feed(place, BWDF, mapping, tmp_path, "--create-nodes", "dma",
                 "--token-file", place.token_file)
    assert first["rows"] == len(rows)
    assert (first["sent"], first["accepted"]) == (n, n)
    assert (first["duplicates"], first["rejected"]) == (0, 0)
    assert first["empty"] == empty
    check_stored(place, expected)

    again = feed(place, BWDF, mapping, tmp_path)
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (
        0, n, 0)
    merged(place)
    check_stored(place, expected)
    once_more = feed(place, BWDF, mapping, tmp_path)
    assert (once_more["accepted"], once_more["duplicates"]) == (0, n)
    merged(place)
    check_stored(place, expected)


def batadal_map(prefix, columns):
    """C-Town's signals: L_T tank level, F_ flow, S_ status, P_J pressure."""
    metrics = {"L": ("level", "m"), "F": ("flow", "L/s"),
               "S": ("status", "1"), "P": ("pressure", "m")}
    return {column: (f"{prefix}-{column[2:]}", *metrics[column[0]])
            for column in columns if column[1] == "_"}


def episodes(cells, direction, set_level, clear_level, on_delay, off_delay):
    """[(first, cleared or None)] of a level alarm, from its definition:
    beyond `set` at every reading over on_delay, back past `clear` at every
    reading over off_delay."""
    sign = 1 if direction == "high" else -1
    found, beyond, back, is_open = [], None, None, False
    for t in sorted(cells):
        over = sign * (cells[t] - set_level) > 0
        under = sign * (cells[t] - clear_level) < 0
        if not is_open:
            beyond = (beyond or t) if over else None
            if beyond and t - beyond >= on_delay:
                found.append([beyond, None])
                is_open, back = True, None
        else:
            back = (back or t) if under else None
            if back and t - back >= off_delay:
                found[-1][1] = t
                is_open, beyond = False, None
    return [tuple(episode) for episode in found]


def rules_of(cells, i):
    """Levels that the tank does go beyond; delays differ by tank."""
    tenths = statistics.quantiles(cells.values(), n=10)
    delays = dict(on_delay_s=3600 * (i % 3), off_delay_s=3600 * (i % 2))
    return [
        dict(direction="high", severity="warning",
             set_level=round(tenths[8], 2), clear_level=round(tenths[6], 2),
             **delays),
        dict(direction="low", severity="critical",
             set_level=round(tenths[0], 2), clear_level=round(tenths[2], 2),
             **delays)]


def anomalies(place, node):
    """{(direction, severity): [(first, cleared)]} as the API tells them."""
    found, cursor = {}, ""
    while cursor is not None:
        page = call(place, "GET", f"/api/v1/anomalies?node={node}&limit=1000"
                    + cursor)
        for a in page["items"]:
            if a["type"] == "threshold":
                found.setdefault((a["direction"], a["severity"]), []).append(
                    (when(a["first_at"]), when(a["cleared_at"])))
        cursor = page["next"] and f"&cursor={page['next']}"
    return {key: sorted(list_, key=lambda e: e[0])
            for key, list_ in found.items()}


def when(text):
    return text and datetime.datetime.fromisoformat(
        text.replace("Z", "+00:00"))


def test_levels_of_seven_real_tanks(place, tmp_path):
    rows = read(BATADAL, "DATETIME", lambda s: datetime.datetime.strptime(
        s, "%d/%m/%y %H").replace(tzinfo=UTC))
    mapping = batadal_map(place.prefix, rows[0][1])
    assert len(mapping) == 43
    factor = {"m": 1, "L/s": 3.6, "1": 1}
    expected = cells_of(rows, mapping, factor)
    n = sum(len(cells) for cells in expected.values())
    tanks = {node: cells for (node, metric), cells in expected.items()
             if metric == "level"}
    assert len(tanks) == 7

    rules = {}
    for i, (node, cells) in enumerate(tanks.items()):
        rules[node] = rules_of(cells, i)
        call(place, "POST", "/api/v1/nodes", {
            "code": node, "type": "tank",
            "series": [{"metric": "level", "unit": "m"}]})
        call(place, "PUT", f"/api/v1/series/{node}/level/thresholds",
             {"thresholds": rules[node]})

    first = feed(place, BATADAL, mapping, tmp_path, "--time-column",
                 "DATETIME", "--time-format", "%d/%m/%y %H", "--create-nodes",
                 "junction", "--token-file", place.token_file)
    assert (first["accepted"], first["rejected"]) == (n, 0)
    merged(place)
    check_stored(place, expected)

    total = 0
    for node, cells in tanks.items():
        for r in rules[node]:
            right = episodes(
                cells, r["direction"], r["set_level"], r["clear_level"],
                r["on_delay_s"] / 3600 * HOUR, r["off_delay_s"] / 3600 * HOUR)
            told = anomalies(place, node).get(
                (r["direction"], r["severity"]), [])
            assert told == right, (node, r)
            total += len(right)
    assert total > 100  # or it proves little

    again = feed(place, BATADAL, mapping, tmp_path, "--time-column",
                 "DATETIME", "--time-format", "%d/%m/%y %H")
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (
        0, n, 0)
    merged(place)
    check_stored(place, expected)
