"""penstock-lab leaks on files that tell more than flows: pressures, neighbours,
and clocks that change."""

import csv
import datetime as dt
import math
import os
import pathlib
import random
import subprocess
import zoneinfo

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"),
                   "src/cmd/penstock-lab")
ROME = zoneinfo.ZoneInfo("Europe/Rome")
START = dt.datetime(2026, 1, 20, tzinfo=dt.timezone.utc)
HOUR, DAYS = dt.timedelta(hours=1), 60
AT = START + dt.timedelta(days=45, hours=10)


def noise(t, salt):
    return random.Random(f"{t:%Y%m%d%H} {salt}").uniform(-1, 1)


def clock(t):
    """One peak a day by the clock on the wall."""
    return -math.cos((t.astimezone(ROME).hour - 3) / 12 * math.pi)


def flow(change=0.0, salt=0):
    return lambda t: (100 + 50 * clock(t) + noise(t, salt) +
                      (change if t >= AT else 0))


def pressure(change=0.0, salt=0):
    return lambda t: (50 - 4 * clock(t) + 0.2 * noise(t, salt) +
                      (change if t >= AT else 0))


def leaks(tmp_path, series, start=START, days=DAYS):
    long, out = tmp_path / "long.csv", tmp_path / "out.csv"
    with open(long, "w", encoding="utf-8") as f:
        f.write("node,metric,unit,ts,value\n")
        for i in range(days * 24):
            t = start + i * HOUR
            for (node, metric), value in series.items():
                f.write(f"{node},{metric},,{t:%Y-%m-%dT%H:%M:%SZ},"
                        f"{value(t):.3f}\n")
    done = subprocess.run(
        [LAB, "leaks", "--input", long, "--output", out, "--zone", ROME.key],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with open(out, encoding="utf-8") as f:
        return list(csv.DictReader(f))


def within_a_day(row, at=AT):
    alarmed = dt.datetime.fromisoformat(row["alarmed"])
    return at < alarmed <= at + dt.timedelta(days=1)


def test_pressure_that_falls_says_where_and_makes_it_surer(tmp_path):
    alone, = leaks(tmp_path, {("A", "flow"): flow(20)})
    assert within_a_day(alone)
    assert (alone["pressure_node"], alone["looks_like"]) == ("", "")
    one, = leaks(tmp_path, {
        ("A", "flow"): flow(20), ("P1", "pressure"): pressure(-1, 1),
        ("P2", "pressure"): pressure(-5, 2), ("P3", "pressure"): pressure()})
    assert one["onset"] == alone["onset"]
    assert (one["pressure_node"], one["looks_like"]) == ("P2", "")
    assert float(one["pressure_change"]) == pytest.approx(-5, abs=0.5)
    assert float(one["confidence"]) > float(alone["confidence"])


def test_what_a_neighbour_lost_came_through_a_boundary_valve(tmp_path):
    alone, = leaks(tmp_path, {("A", "flow"): flow(20)})
    one, = leaks(tmp_path, {("A", "flow"): flow(20),
                            ("B", "flow"): flow(-20, 1)})
    assert (one["zone"], one["looks_like"]) == ("A", "boundary valve")
    assert float(one["confidence"]) < float(alone["confidence"]) / 2
    one, = leaks(tmp_path, {("A", "flow"): flow(20),
                            ("B", "flow"): flow(0, 1)})
    assert (one["zone"], one["looks_like"]) == ("A", "")


def test_more_pressure_is_told_beside(tmp_path):
    one, = leaks(tmp_path, {("A", "flow"): flow(20),
                            ("P1", "pressure"): pressure(4, 1),
                            ("P2", "pressure"): pressure(3, 2)})
    assert (one["pressure_node"], one["looks_like"]) == ("", "pressure rise")


@pytest.mark.parametrize("change", [
    dt.datetime(2026, 3, 29, tzinfo=dt.timezone.utc),
    dt.datetime(2026, 10, 25, tzinfo=dt.timezone.utc)])
def test_clocks_that_change_are_no_leak_and_hide_none(tmp_path, change):
    start = change - dt.timedelta(days=40)
    assert leaks(tmp_path, {("A", "flow"): flow()}, start, 60) == []
    at = change - dt.timedelta(hours=8)
    one, = leaks(tmp_path, {("A", "flow"): lambda t: (
        flow()(t) + (4 if t >= at else 0))}, start, 60)
    assert within_a_day(one, at)
    night, usual = float(one["night_flow"]), float(one["usual_night_flow"])
    # 02:00 to 05:00 by the clock of that day, whatever UTC says.
    assert usual == pytest.approx(51, abs=1)
    assert night == pytest.approx(usual + 4, abs=2)
