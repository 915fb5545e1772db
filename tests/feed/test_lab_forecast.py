"""penstock-lab forecast and leaks as programs: their files, their times on the
wall's clock, and what they refuse."""

import csv
import datetime as dt
import math
import os
import pathlib
import random
import subprocess
import zoneinfo

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"),
                   "src/cmd/penstock-lab")
ROME = zoneinfo.ZoneInfo("Europe/Rome")
HOUR = dt.timedelta(hours=1)


def lab(*args):
    return subprocess.run([LAB, *map(str, args)], capture_output=True,
                          text=True, timeout=120, check=False)


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def demand(t):
    """People get up by the clock on the wall, at the weekend an hour later."""
    local = t.astimezone(ROME)
    hour = local.hour - (local.weekday() >= 5)
    return 20 + 10 * math.exp(-((hour - 7) / 2) ** 2) + 0.1 * (t.hour % 3)


def write(path, start, hours, value=demand, step=HOUR):
    with open(path, "w", encoding="utf-8") as f:
        f.write("node,metric,unit,ts,value\n")
        for i in range(hours * (HOUR // step)):
            t = start + i * step
            f.write(f"DMA-1,flow,L/s,{iso(t)},{value(t)}\n")
    return start + hours * HOUR


def rows(path):
    with open(path, encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_a_week_over_the_change_of_clocks(tmp_path):
    # Clocks go forward on 2026-03-29; history ends the Thursday before.
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    hours = 24 * 80
    origin = write(tmp_path / "long.csv", start, hours)
    done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
               iso(origin), "--horizon", "168h", "--zone", "Europe/Rome",
               "--output", tmp_path / "out.csv", "--baselines",
               tmp_path / "base.csv")
    assert done.returncode == 0, done.stderr
    out = rows(tmp_path / "out.csv")
    assert [r["ts"] for r in out] == [iso(origin + i * HOUR)
                                      for i in range(168)]
    after = [r for r in out if r["ts"] > "2026-03-29T03"]
    assert len(after) > 24
    for r in after:
        want = demand(dt.datetime.fromisoformat(r["ts"]))
        assert abs(float(r["value"]) - want) < 1.5, r
        assert float(r["lower95"]) <= float(r["value"]) <= float(r["upper95"])
    methods = {r["method"] for r in rows(tmp_path / "base.csv")}
    assert "mean_of_last_4_weeks" in methods and len(methods) == 4


def test_origins_see_only_what_was_before(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    end = write(tmp_path / "all.csv", start, 24 * 40)
    first = end - dt.timedelta(days=5)
    write(tmp_path / "part.csv", start, 24 * 35)
    (tmp_path / "origins.csv").write_text(f"{iso(end)}\n{iso(first)}\n")
    done = lab("forecast", "--input", tmp_path / "all.csv", "--origins",
               tmp_path / "origins.csv", "--horizon", "24h", "--output",
               tmp_path / "many.csv")
    assert done.returncode == 0, done.stderr
    done = lab("forecast", "--input", tmp_path / "part.csv", "--origin",
               iso(first), "--horizon", "24h", "--output",
               tmp_path / "one.csv")
    assert done.returncode == 0, done.stderr
    many = rows(tmp_path / "many.csv")
    assert [r for r in many if r["origin"] == iso(first)] == rows(
        tmp_path / "one.csv")
    assert len(many) == 48


def test_baselines_stand_beside_where_the_file_knows_what_came(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    noise = random.Random(4)
    end = write(tmp_path / "all.csv", start, 24 * 40,
                lambda t: demand(t) + noise.random())
    said = []
    for origin in (end - dt.timedelta(days=2), end):
        done = lab("forecast", "--input", tmp_path / "all.csv", "--origin",
                   iso(origin), "--horizon", "48h", "--output",
                   tmp_path / "out.csv")
        assert done.returncode == 0, done.stderr
        said.append([line for line in (done.stdout + done.stderr).splitlines()
                     if "error over 48 steps that are known" in line])
    assert len(said[0]) == 4 and said[1] == []
    share = next(line for line in said[0] if "same_hour_last_day" in line)
    assert 0 < float(share.split(": ")[-1].split()[0]) < 1


def test_an_origin_behind_the_last_reading(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    origin = write(tmp_path / "long.csv", start, 24 * 40) + 6 * HOUR
    done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
               iso(origin), "--horizon", "48h", "--zone", "Europe/Rome",
               "--output", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    out = rows(tmp_path / "out.csv")
    assert [r["ts"] for r in out] == [iso(origin + i * HOUR)
                                      for i in range(48)]
    for r in out:
        want = demand(dt.datetime.fromisoformat(r["ts"]))
        assert abs(float(r["value"]) - want) < 1.5, r


def test_more_history_than_can_be_learnt_from(tmp_path):
    start = dt.datetime(2012, 1, 2, tzinfo=dt.timezone.utc)
    origin = write(tmp_path / "long.csv", start, 24 * 5010)
    done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
               iso(origin), "--horizon", "24h", "--zone", "Europe/Rome",
               "--output", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    out = rows(tmp_path / "out.csv")
    assert len(out) == 24
    for r in out:
        want = demand(dt.datetime.fromisoformat(r["ts"]))
        assert abs(float(r["value"]) - want) < 1.5, r


def test_origins_in_the_hour_that_comes_twice(tmp_path):
    # Clocks go back on 2026-10-25 at 01:00 UTC, from 03:00 to 02:00.
    step = dt.timedelta(minutes=15)
    start = dt.datetime(2026, 9, 14, tzinfo=dt.timezone.utc)
    first = dt.datetime(2026, 10, 25, tzinfo=dt.timezone.utc)
    origins = [first + i * step for i in (0, 2, 3, 4, 6, 8)]
    out = {}
    for name, later in (("as_it_was", 0), ("otherwise", 1000)):
        for origin in origins:
            write(tmp_path / "long.csv", start, 24 * 45,
                  lambda t, origin=origin, later=later:
                  demand(t) + (later if t >= origin else 0), step)
            done = lab("forecast", "--input", tmp_path / "long.csv",
                       "--origin", iso(origin), "--horizon", "24h", "--step",
                       "15m", "--zone", "Europe/Rome", "--output",
                       tmp_path / "out.csv")
            assert done.returncode == 0, done.stderr
            out[name, origin] = rows(tmp_path / "out.csv")
    for origin in origins:
        assert out["as_it_was", origin] == out["otherwise", origin]
        assert len(out["as_it_was", origin]) == 96
        for r in out["as_it_was", origin]:
            want = demand(dt.datetime.fromisoformat(r["ts"]))
            assert abs(float(r["value"]) - want) < 2, r


def rest(t):
    """Feasts are like Sundays, when people get up three hours later."""
    local = t.astimezone(ROME)
    feast = (local.day, local.month) in ((1, 1), (6, 1), (19, 3), (2, 4))
    hour = local.hour - 3 * (feast or local.weekday() == 6)
    return 20 + 10 * math.exp(-((hour - 7) / 2) ** 2)


def test_a_calendar_in_any_of_its_forms(tmp_path):
    start = dt.datetime(2025, 12, 8, tzinfo=dt.timezone.utc)
    origin = write(tmp_path / "long.csv", start, 24 * 112, rest)
    calendars = {
        "dates": "2026-04-02\n2026-01-01\n\n2026-01-06\n2026-03-19\n"
                 "2026-01-01\n",
        "names": "date,name\r\n2026-01-01,New Year\r\n2026-01-06,Epiphany\r\n"
                 "2026-03-19,\"Saint, Joseph\"\r\n2026-04-02,Founders\r\n",
        "strokes": "holiday\n01/01/2026\n06/01/2026\n19/03/2026\n02/04/2026\n"}
    values = {}
    for name, text in calendars.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
                   iso(origin), "--horizon", "168h", "--zone", "Europe/Rome",
                   "--calendar", tmp_path / name, "--output",
                   tmp_path / "out.csv")
        assert done.returncode == 0, done.stderr
        values[name] = rows(tmp_path / "out.csv")
    assert values["dates"] == values["names"] == values["strokes"]
    for r in values["dates"]:
        want = rest(dt.datetime.fromisoformat(r["ts"]))
        assert abs(float(r["value"]) - want) < 1.5, r
    for wrong in ("2026-01-01\n2026-1-6\n", "2026-01-01\n31/31/2026\n",
                  "2026-02-30\n", "2026-01-01\nholiday\n"):
        (tmp_path / "wrong").write_text(wrong, encoding="utf-8")
        done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
                   iso(origin), "--horizon", "24h", "--calendar",
                   tmp_path / "wrong", "--output", tmp_path / "out.csv")
        assert done.returncode == 1 and "not a date" in done.stderr


def heat(t):
    """Of a day, up and down in waves that no season tells."""
    day = t.astimezone(ROME).toordinal()
    return 20 + 8 * math.sin(day * 1.7) * math.sin(day * 0.61)


def watered(t):
    """Above 20 degrees gardens are watered, in the evening most."""
    hour = t.astimezone(ROME).hour
    return demand(t) + 0.5 * (heat(t) - 20) * (1 + math.cos(
        (hour - 20) / 24 * 2 * math.pi))


def test_weather_as_far_as_it_is_known(tmp_path):
    start = dt.datetime(2026, 3, 30, tzinfo=dt.timezone.utc)
    origin = write(tmp_path / "long.csv", start, 24 * 130, watered)

    def weather(name, hours, node="station", wrong=0.0):
        with open(tmp_path / name, "w", encoding="utf-8") as f:
            f.write("node,metric,unit,ts,value\n")
            for i in range(hours):
                t = start + i * HOUR
                v = heat(t) + (wrong if t >= origin else 0)
                f.write(f"{node},temperature,°C,{iso(t)},{v}\n")
        return tmp_path / name

    def run(*args):
        done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
                   iso(origin), "--horizon", "168h", "--zone", "Europe/Rome",
                   "--output", tmp_path / "out.csv", *args)
        assert done.returncode == 0, done.stderr
        return [float(r["value"]) for r in rows(tmp_path / "out.csv")]

    def error(values):
        return sum(abs(v - watered(origin + i * HOUR))
                   for i, v in enumerate(values)) / len(values)

    without = run()
    whole = weather("whole.csv", 24 * 138)
    known = run("--covariates", whole)
    past = run("--covariates", weather("past.csv", 24 * 130))
    assert error(known) < 0.75 * error(without)
    assert past != known and past != without
    # What lies further ahead than is known may say anything.
    wrong = weather("wrong.csv", 24 * 138, wrong=30.0)
    for file in (whole, wrong):
        assert run("--covariates", file, "--known-ahead", "0h") == past
    assert run("--covariates", wrong) != known
    # A column of another node's series is not this one's.
    assert run("--covariates", weather("own.csv", 24 * 138, "DMA-1")) == known
    done = lab("forecast", "--input", tmp_path / "long.csv", "--origin",
               iso(origin), "--horizon", "24h", "--covariates",
               tmp_path / "none.csv", "--output", tmp_path / "out.csv")
    assert done.returncode == 1 and "none.csv" in done.stderr


def test_origins_are_times_of_utc(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    write(tmp_path / "long.csv", start, 24 * 30)
    told = []
    for text in ("2026-02-01T00:00:00Z\r\n\r\n2026-01-30T12:00:00Z\r\n",
                 "origin\n2026-01-30 12:00\n2026-02-01\n"):
        (tmp_path / "origins").write_text(text)
        done = lab("forecast", "--input", tmp_path / "long.csv", "--origins",
                   tmp_path / "origins", "--horizon", "48h", "--output",
                   tmp_path / "out.csv")
        assert done.returncode == 0, done.stderr
        told.append(rows(tmp_path / "out.csv"))
    assert told[0] == told[1] and len(told[0]) == 96


def test_what_is_refused(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    end = write(tmp_path / "short.csv", start, 30)
    args = ["forecast", "--input", tmp_path / "short.csv", "--horizon",
            "24h", "--output", tmp_path / "out.csv"]
    done = lab(*args, "--origin", iso(end))
    assert done.returncode == 1
    assert "DMA-1/flow" in done.stderr and "too short" in done.stderr
    assert lab(*args).returncode == 2  # no origin
    done = lab(*args, "--origin", iso(end), "--zone", "Europe/Nowhere")
    assert done.returncode == 1 and "Nowhere" in done.stderr


def test_leaks(tmp_path):
    start = dt.datetime(2026, 1, 5, tzinfo=dt.timezone.utc)
    onset = start + 30 * 24 * HOUR + 14 * HOUR
    write(tmp_path / "long.csv", start, 24 * 45, lambda t: demand(t) + (
        6 if t >= onset else 0))
    done = lab("leaks", "--input", tmp_path / "long.csv", "--output",
               tmp_path / "out.csv", "--zone", "Europe/Rome")
    assert done.returncode == 0, done.stderr
    out = rows(tmp_path / "out.csv")
    assert len(out) == 1 and out[0]["zone"] == "DMA-1"
    assert out[0]["kind"] == "step"
    found = dt.datetime.fromisoformat(out[0]["onset"])
    assert abs(found - onset) <= 2 * HOUR
    assert out[0]["alarmed"] <= iso(onset + 24 * HOUR)
    assert abs(float(out[0]["size"]) - 6) < 1
