"""penstock-lab detect on small files made here.

PENSTOCK_BUILD: the build folder, "build" in the project's root if not set.
"""
import csv
import datetime
import math
import os
import pathlib
import random
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(
    os.environ.get("PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-lab"
BEGIN = datetime.datetime(2026, 1, 5)
INP = """[OPTIONS]
UNITS CMH
[CONTROLS]
LINK PU1 OPEN IF NODE T1 BELOW 2
LINK PU1 CLOSED IF NODE T1 ABOVE 4
"""

pytestmark = pytest.mark.skipif(
    not LAB.exists(), reason=f"{LAB} is not built")


def moment(step):
    return f"{(BEGIN + step * datetime.timedelta(hours=1)).isoformat()}Z"


def write(path, rows):
    with open(path, "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(("node", "metric", "unit", "ts", "value"))
        out.writerows(rows)


def detect(folder, *options):
    done = subprocess.run(
        [LAB, "detect", "--input", folder / "in.csv", "--output",
         folder / "out.csv", *options], capture_output=True, text=True)
    if done.returncode != 0:
        return done
    with open(folder / "out.csv", newline="") as f:
        return list(csv.DictReader(f))


def tank(steps, stuck_from):
    """A tank that a pump fills between 2 and 4 m, for whose level another
    town's demand is felt; from `stuck_from` on the pump runs and runs."""
    rand = random.Random(1)
    level, on = 3.0, False
    for i in range(steps):
        demand = 30 + 10 * math.sin(2 * math.pi * i / 24) + rand.random()
        on = True if i >= stuck_from or level < 2 else on and level < 4
        yield {"PU1/status": int(on), "PU1/flow": 80 * on,
               "T1/level": round(level, 3), "OUT/flow": round(demand, 2)}
        level += (80 * on - demand) / 100


def rows_of(states):
    for i, state in enumerate(states):
        for name, value in state.items():
            node, metric = name.split("/")
            yield node, metric, "", moment(i), value


def test_each_reading_is_judged_and_an_empty_one_is_none(tmp_path):
    rand = random.Random(2)
    rows = [("a, b", "value", "", moment(i), 5 + rand.random())
            for i in range(1000)]
    rows[500] = (*rows[500][:4], "")
    write(tmp_path / "in.csv", rows)
    judged = detect(tmp_path)
    assert [r["ts"] for r in judged] == [
        r[3] for i, r in enumerate(rows) if i != 500]
    assert all(0 <= float(r["score"]) <= 1 and r["node"] == "a, b"
               for r in judged)


def test_other_programs_files_are_read(tmp_path):
    """Times without a zone, NaN and NA where nothing was read."""
    rand = random.Random(2)
    rows = [("a", "value", "", moment(i), rand.random()) for i in range(300)]
    for i, none in ((5, ""), (50, "")):
        rows[i] = (*rows[i][:4], none)
    write(tmp_path / "in.csv", rows)
    plain = detect(tmp_path)
    for i, none in ((5, "NaN"), (50, "NA")):
        rows[i] = (*rows[i][:4], none)
    write(tmp_path / "in.csv", [
        (*r[:3], r[3][:-1].replace("T", " " if i % 2 else "T"), r[4])
        for i, r in enumerate(rows)])
    assert detect(tmp_path) == plain and len(plain) == 298
    write(tmp_path / "in.csv", [(*rows[0][:4], "inf")])
    assert "no number" in detect(tmp_path).stderr


def test_nothing_looks_ahead(tmp_path):
    rand = random.Random(3)
    rows = [("n", "value", "", moment(i), rand.gauss(0, 1) + (i > 700) * 9)
            for i in range(1000)]
    write(tmp_path / "in.csv", rows)
    whole = detect(tmp_path)
    write(tmp_path / "in.csv", rows[:720])
    assert detect(tmp_path) == whole[:720]
    assert any(r["alarm"] == "1" for r in whole[700:720])


def test_nothing_is_said_while_it_learns(tmp_path):
    rand = random.Random(3)
    write(tmp_path / "in.csv", [
        ("n", "value", "", moment(i),
         rand.gauss(0, 1) + (i in (500, 800)) * 30) for i in range(1000)])
    judged = detect(tmp_path)
    assert {judged[i]["alarm"] for i in (500, 800)} == {"1"}
    learnt = detect(tmp_path, "--train-until", moment(600))
    assert {(float(r["score"]), r["alarm"], r["rule"])
            for r in learnt[:600]} == {(0, "0", "")}
    assert learnt[600:] == judged[600:]


@pytest.mark.parametrize("bad, said", [
    (("n", "value", "", "yesterday", 1), "RFC 3339"),
    (("n", "value", "", moment(1), "many"), "no number"),
    (("n", "value", "", moment(-1), 1), "earlier"),
    (("", "value", "", moment(1), 1), "no node"),
])
def test_a_bad_row_is_named_by_its_line(tmp_path, bad, said):
    write(tmp_path / "in.csv", [("n", "value", "", moment(0), 1), bad])
    done = detect(tmp_path)
    assert done.returncode == 1
    assert "line 3" in done.stderr and said in done.stderr


def test_a_pump_against_its_rule_is_explained(tmp_path):
    write(tmp_path / "in.csv", rows_of(tank(1500, 1400)))
    (tmp_path / "net.inp").write_text(INP)
    steps = detect(tmp_path, "--joint", "--train-until", moment(1000),
                   "--network", tmp_path / "net.inp")
    assert len(steps) == 1500
    assert not any(s["alarm"] == "1" for s in steps[:1000])
    false = sum(s["alarm"] == "1" for s in steps[1000:1400])
    assert false <= 4, false
    told = [s["series"] for s in steps[1400:] if s["alarm"] == "1"]
    assert any("PU1 is open while T1 is above 4" in t for t in told)
    assert all(t.startswith("since 20") for t in told)


def test_a_replayed_level_is_found_without_a_network(tmp_path):
    states = list(tank(1200, 10**6))
    for i in range(1150, 1180):
        states[i]["OUT/flow"] = states[i - 48]["OUT/flow"]
    write(tmp_path / "in.csv", rows_of(states))
    steps = detect(tmp_path, "--joint", "--train-until", moment(1000))
    assert "OUT/flow replays what was 48 steps ago" in steps[1160]["series"]
    assert steps[1160]["alarm"] == "1" and steps[1149]["alarm"] == "0"


def explained(folder, *options):
    detect(folder, "--explain", folder / "why.csv", *options)
    with open(folder / "why.csv", newline="") as f:
        return list(csv.DictReader(f))


def test_each_alarm_of_a_series_says_why(tmp_path):
    rand = random.Random(3)
    write(tmp_path / "in.csv", [
        ("n", "value", "", moment(i), rand.gauss(0, 1) + (i > 700) * 9)
        for i in range(760)])
    judged = detect(tmp_path)
    why = explained(tmp_path)
    assert [(r["ts"], r["rule"]) for r in why] == [
        (r["ts"], r["rule"]) for r in judged if r["alarm"] == "1"]
    row = [r for r in why if r["ts"] > moment(700)][0]
    assert row["since"] <= row["ts"]
    assert float(row["low"]) < float(row["expected"]) < float(row["high"])
    assert float(row["value"]) > float(row["high"]) and row["share"] == "1.000"


def test_fewer_alarms_are_told_when_fewer_are_asked_for(tmp_path):
    rand = random.Random(8)
    write(tmp_path / "in.csv", [
        ("n", "value", "", moment(i), rand.gauss(0, 1) * rand.choice((1, 1, 3)))
        for i in range(6000)])
    came = [sum(r["alarm"] == "1" for r in
                detect(tmp_path, "--alarms-a-week", target))
            for target in ("7", "1", "0.1")]
    assert came[0] > came[1] >= came[2] and came[1] <= 6000 / 168


@pytest.mark.parametrize("option", [
    ("--alarms-a-week", "0"), ("--alarms-a-week", "often"),
    ("--zone", "Nowhere/Else")])
def test_an_option_that_means_nothing_is_refused(tmp_path, option):
    write(tmp_path / "in.csv", [("n", "value", "", moment(0), 1)])
    assert detect(tmp_path, *option).returncode == 2


def test_a_clock_that_is_put_forward_is_no_event(tmp_path):
    rand, rows = random.Random(9), []
    for i in range(24 * 110):
        local = BEGIN + datetime.timedelta(hours=i + 1 + (i >= 24 * 83 + 1))
        rows.append(("n", "value", "", moment(i),
                     9 * math.sin(2 * math.pi * local.hour / 24)
                     + rand.gauss(50, .3)))
    write(tmp_path / "in.csv", rows)
    odd = [sum(float(r["score"]) for r in detect(tmp_path, *zone)
               if moment(24 * 83) <= r["ts"] < moment(24 * 90))
           for zone in ((), ("--zone", "Europe/Rome"))]
    assert odd[1] < odd[0] / 2


def test_what_works_against_a_rule_looks_like_manipulation(tmp_path):
    write(tmp_path / "in.csv", rows_of(tank(1500, 1400)))
    (tmp_path / "net.inp").write_text(INP)
    why = explained(tmp_path, "--joint", "--train-until", moment(1000),
                    "--network", tmp_path / "net.inp")
    pump = [r for r in why if r["rule"] == "control"]
    assert pump and all(
        (r["node"], r["value"], r["expected"], r["looks_like"]) ==
        ("PU1", "1", "0", "suspected manipulation") for r in pump)
    alarms = {r["ts"] for r in why}
    for ts in alarms:
        assert abs(sum(float(r["share"]) for r in why if r["ts"] == ts)
                   - 1) < 0.01


def test_one_meter_of_many_that_is_wrong_looks_like_a_fault(tmp_path):
    rand = random.Random(6)
    rows = []
    for i in range(1100):
        demand = 30 + 10 * math.sin(2 * math.pi * i / 24) + 3 * rand.random()
        rows += [(f"m{j}", "flow", "", moment(i),
                  demand * (1 + j / 10) + rand.gauss(0, .5)
                  + 6 * (i >= 1000 and j == 1)) for j in range(6)]
    write(tmp_path / "in.csv", rows)
    why = [r for r in explained(tmp_path, "--joint", "--train-until",
                                moment(1000)) if r["ts"] >= moment(1020)]
    faults = [r for r in why if r["looks_like"] == "sensor fault"]
    assert len({r["ts"] for r in faults}) >= 60
    assert all(r["node"] == "m1" and r["share"] == "1.000" for r in faults)


@pytest.mark.parametrize("until, said", [
    (["--train-until", moment(30)], "4 series in 30 steps"),
    (["--train-until", moment(90)], "nothing is judged"),
    ([], "nothing is judged")])
def test_what_is_too_short_to_learn_from_is_told(tmp_path, until, said):
    write(tmp_path / "in.csv", rows_of(tank(60, 60)))
    done = subprocess.run(
        [LAB, "detect", "--joint", *until, "--input", tmp_path / "in.csv",
         "--output", tmp_path / "out.csv"], capture_output=True, text=True)
    assert done.returncode == 0
    assert said in done.stderr


def test_more_series_than_can_be_judged_together_are_refused(tmp_path):
    write(tmp_path / "in.csv",
          [(f"n{i}", "value", "", moment(0), 1) for i in range(257)])
    done = detect(tmp_path, "--joint")
    assert done.returncode == 1 and "256" in done.stderr
