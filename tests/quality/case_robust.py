"""Forecasts elsewhere: other weeks, horizons and steps, short, gappy and broken
histories, other sources. Each line: how much of a baseline's error ours is, the
geometric mean over the series, and the share of values inside the 95 % bands.
What is broken is broken before the origin alone, the same way in every run."""

import csv
import datetime
import math
import random

import case_bwdf
from long_file import iso, parse, write_long

HERE = "bwdf"
DISTRICTS = ("dma1", "dma3", "dma5", "dma7", "dma9")
BASELINES = ("same_hour_last_week", "mean_of_last_4_weeks",
             "same_hour_last_day")
MUST = 1.02  # of the better known ones
ZONE = "Europe/Rome"
DAY = datetime.timedelta(days=1)
QUARTERS = tuple(parse(t) for t in (
    "2021-09-19T22:00:00Z", "2022-01-23T23:00:00Z", "2022-04-10T22:00:00Z",
    "2022-07-03T22:00:00Z"))


def every(first, days, count):
    return [parse(first) + days * i * DAY for i in range(count)]


def chance(*of):
    return random.Random(" ".join(map(str, of))).random()


# What becomes of a value of a district before the origin: None, none.
def cut(weeks):
    return lambda node, t, y, origin: (
        y if t >= origin - 7 * weeks * DAY else None)


def gaps(share):
    """Half of it single values, half whole days."""
    return lambda node, t, y, origin: (
        None if chance(node, t) < share / 2 or
        chance(node, t.date()) < share / 2 else y)


def level(days, factor):
    return lambda node, t, y, origin: (
        y * factor if t < origin - days * DAY else y)


def bursts(node, t, y, origin):
    return y * 10 if chance("burst", node, t) < 0.005 else y


BROKEN = (("4 weeks of history", cut(4)), ("6 weeks", cut(6)),
          ("10 weeks", cut(10)), ("10 % missing", gaps(0.1)),
          ("30 % missing", gaps(0.3)), ("up by 25 % 10 days ago",
                                        level(10, 0.8)),
          ("down by 30 % 5 weeks ago", level(35, 1.4)),
          ("0.5 % of values tenfold", bursts))
# origins, horizon, step of whole districts
WHEN = (("July 2021", every("2021-07-01T22:00:00Z", 7, 4), "168h", "1h"),
        ("December 2021", every("2021-12-05T23:00:00Z", 7, 4), "168h", "1h"),
        ("February 2022", every("2022-02-01T23:00:00Z", 7, 4), "168h", "1h"),
        ("from noon", every("2022-03-29T10:00:00Z", 14, 5), "168h", "1h"),
        ("24 h", every("2022-03-27T22:00:00Z", 9, 8), "24h", "1h"),
        ("48 h", every("2022-03-27T22:00:00Z", 9, 8), "48h", "1h"),
        ("28 days by the day", every("2022-03-28T22:00:00Z", 15, 6), "28d",
         "1d"))


def rows_of(path, when, pattern, delimiter=",", wanted=None):
    """node, value, time, value of a wide file."""
    with open(path, encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter=delimiter,
                                  skipinitialspace=True):
            t = datetime.datetime.strptime(row[when], pattern)
            for name, cell in row.items():
                if wanted is not None and name not in wanted:
                    continue
                if name and name != when and cell not in ("", "NA", "FALSE",
                                                          "TRUE"):
                    yield name, "value", t, float(cell.replace(",", "."))


def nab(data):
    """Streams that each end at one time, a day ahead of the origin."""
    for path in sorted((data / "nab" / "data").glob("*/*.csv")):
        with open(path, encoding="utf-8") as f:
            rows = sorted((parse(r["timestamp"].replace(" ", "T") + "Z"),
                           float(r["value"])) for r in csv.DictReader(f))
        end = rows[-1][0].replace(minute=0, second=0)
        for t, y in rows:
            yield path.stem, "value", t - end + parse(
                "2020-03-03T00:00:00Z"), y


SECONDS = "%Y-%m-%d %H:%M:%S"
# folder, rows, origins, horizon, step
ELSEWHERE = (
    ("gecco, quality by the hour", "gecco", lambda d: rows_of(
        d / "gecco/gecco2018_to_2016-09-01.csv", "Time", SECONDS, wanted=(
            "Time", "Tp", "Cl", "pH", "Redox", "Leit", "Trueb", "Cl_2", "Fm",
            "Fm_2")),
     every("2016-08-20T00:00:00Z", 3, 4), "24h", "1h"),
    ("leakdb, demands and pressures", "leakdb", lambda d: rows_of(
        d / "leakdb/net1_scenario1.csv", "timestamp", SECONDS, wanted=(
            "timestamp", "Node 2", "Node 12", "Node 22", "Link 11",
            "Link 111", "Pressure 10", "Pressure 23")),
     every("2017-04-09T00:00:00Z", 85, 4), "168h", "1h"),
    ("battledim flows by the quarter", "battledim", lambda d: rows_of(
        d / "battledim/flows_2019Q1.csv", "Timestamp", SECONDS, ";"),
     every("2019-02-20T00:00:00Z", 12, 3), "48h", "15m"),
    ("battledim flows by the hour", "battledim", lambda d: rows_of(
        d / "battledim/flows_2019Q1.csv", "Timestamp", SECONDS, ";"),
     every("2019-02-10T00:00:00Z", 6, 7), "168h", "1h"),
    ("batadal levels, flows, pressures", "batadal", lambda d: rows_of(
        d / "batadal/BATADAL_dataset03.csv", "DATETIME", "%d/%m/%y %H",
        wanted=("DATETIME", "L_T1", "L_T4", "L_T7", "F_PU1", "F_PU4",
                "P_J280", "P_J415")),
     every("2014-04-07T00:00:00Z", 60, 4), "168h", "1h"),
    ("nab streams", "nab", nab, every("2020-03-02T00:00:00Z", 1, 1), "24h",
     "1h"))


class Bench:
    def __init__(self, lab, work):
        self.lab, self.work = lab, work

    def judge(self, values, long, origins, *options):
        """(node) to the errors, ours and each baseline's; those inside."""
        paths = {n: self.work / f"robust.{n}" for n in (
            "origins", "out", "beside")}
        paths["origins"].write_text("".join(f"{iso(t)}\n" for t in origins))
        self.lab("forecast", "--input", long, "--origins", paths["origins"],
                 "--baselines", paths["beside"], "--output", paths["out"],
                 *options)
        errors, inside = {}, []
        for path in (paths["out"], paths["beside"]):
            with open(path, encoding="utf-8") as f:
                for row in csv.DictReader(f):
                    y = values(row["node"], parse(row["ts"]))
                    if y is None:
                        continue
                    errors.setdefault(row["node"], {}).setdefault(
                        row.get("method"), {})[row["origin"], row["ts"]] = (
                            abs(y - float(row["value"])))
                    if "lower95" in row:
                        inside.append(float(row["lower95"]) <= y <=
                                      float(row["upper95"]))
        return errors, inside


def ratio(errors, method):
    """Where both say something; NaN if the baseline says nothing."""
    logs = []
    for of in errors.values():
        both = of[None].keys() & of.get(method, {}).keys()
        ours = sum(of[None][k] for k in both)
        base = sum(of[method][k] for k in both)
        if base > 0:  # else exact: nothing to be better than
            logs.append(math.log(max(ours / base, 0.01)))
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def line(name, results):
    errors, inside = {}, []
    for one, within in results:
        inside += within
        for node, of in one.items():
            for method, e in of.items():
                errors.setdefault(node, {}).setdefault(method, {}).update(e)
    parts = {m: ratio(errors, m) for m in BASELINES}
    covered = 100 * sum(inside) / max(len(inside), 1)
    return (f"robust: {name}",
            " ".join(f"{parts[m]:.3f}" for m in BASELINES[:2]) +
            f"; {covered:.1f} %", f"<= {MUST} each", "94-96 %",
            not any(parts[m] > MUST for m in BASELINES[:2]),
            f"beside last week, 4 weeks' mean; {BASELINES[2]} "
            f"{parts[BASELINES[2]]:.3f}")


def districts(bench, values, broken, origin, path):
    write_long(path, ((n, "value", t, y) for (t, n), v in values.items()
                      if n in DISTRICTS and t < origin + 9 * DAY
                      for y in [v if t >= origin else
                                broken(n, t, v, origin)] if y is not None))
    return bench.judge(lambda n, t: values.get((t, n)), path, [origin],
                       "--horizon", "168h", "--zone", ZONE, "--calendar",
                       bench.work / "robust.holidays")


def day_means(values):
    """Of the wall's days, by their UTC beginning as forecasts have it."""
    import zoneinfo
    zone = zoneinfo.ZoneInfo(ZONE)
    sums = {}
    for (t, n), v in values.items():
        wall = t.replace(tzinfo=datetime.timezone.utc).astimezone(zone)
        s = sums.setdefault((wall.date(), n), [0.0, 0])
        s[0] += v
        s[1] += 1

    def mean(n, t):
        wall = t.replace(tzinfo=datetime.timezone.utc).astimezone(zone)
        s = sums.get((wall.date(), n))
        return None if s is None else s[0] / s[1]
    return mean


def run(lab, data, score, work):
    bench = Bench(lab, work)
    values = dict(sorted(case_bwdf.read(data).items()))
    path = work / "robust.long"
    (work / "robust.holidays").write_text("".join(case_bwdf.holidays(data)))
    whole = ("--zone", ZONE, "--calendar", work / "robust.holidays")
    for name, broken in BROKEN:
        yield line(name, [districts(bench, values, broken, o, path)
                          for o in QUARTERS])
    write_long(path, ((n, "value", t, v) for (t, n), v in values.items()
                      if n in DISTRICTS))
    for name, origins, horizon, step in WHEN:
        truth = (day_means(values) if step == "1d" else
                 lambda n, t: values.get((t, n)))
        yield line(name, [bench.judge(truth, path, origins, "--horizon",
                                      horizon, "--step", step, *whole)])
    write_long(work / "robust.weather", rows_of(
        data / HERE / "weather_utc_to_2022-07-24.csv", "ts_utc",
        "%Y-%m-%dT%H:%M:%SZ"))
    yield line("with the weather", [bench.judge(
        lambda n, t: values.get((t, n)), path, WHEN[3][1], "--horizon",
        "168h", "--covariates", work / "robust.weather", *whole)])
    for name, folder, rows, origins, horizon, step in ELSEWHERE:
        if not (data / folder).is_dir():
            continue
        read = sorted(rows(data), key=lambda r: (r[2], r[0]))
        cells, size = {}, {"15m": 900, "1h": 3600}[step]
        for n, _, t, y in read:
            s = cells.setdefault((n, int((t - datetime.datetime(
                1970, 1, 1)).total_seconds()) // size), [0.0, 0])
            s[0] += y
            s[1] += 1
        write_long(path, read)

        def mean(n, t, cells=cells, size=size):
            s = cells.get((n, int((t - datetime.datetime(
                1970, 1, 1)).total_seconds()) // size))
            return None if s is None else s[0] / s[1]
        yield line(name, [bench.judge(mean, path, origins, "--horizon",
                                      horizon, "--step", step)])
