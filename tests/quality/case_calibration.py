"""Whether as many false alarms come as were asked for, at three targets, on data
in which nothing is known to be wrong (BWDF's districts, BATADAL's year without
attacks, GECCO's telemetry but for the half day after the beginning of an
event): each reading judged by itself, of which the first 15 % of a series teach
alone; and jointly, learnt from the first half, of GECCO until its events begin.
An alarm of all jointly ends as in the service, after six calm steps, and not
before half an hour of them; one is never too many. What is wrong there and nobody labelled counts as
false, too."""

import csv
import datetime

from long_file import iso, parse

HERE = "bwdf"
TARGETS = (0.1, 1, 7)
AFTER = datetime.timedelta(hours=12)
STATISTICAL = {"shift", "seasonal", "drift", "rate", "spike"}


def wide(path, column, form, wanted):
    """(series, time, value) by time, and the times of labelled events."""
    rows, events = [], []
    with open(path, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            t = datetime.datetime.strptime(row[column].strip(), form)
            if row.get("EVENT") == "TRUE":
                events.append(t)
            rows += [(name.strip(), t, float(cell))
                     for name, cell in row.items()
                     if wanted(name.strip()) and cell not in ("", "NA")]
    return rows, events


SETS = {
    "bwdf": ("bwdf/inflow_utc_to_2022-07-24.csv", "ts_utc",
             "%Y-%m-%dT%H:%M:%SZ", lambda n: n.startswith("dma")),
    "batadal 03": ("batadal/BATADAL_dataset03.csv", "DATETIME", "%d/%m/%y %H",
                   lambda n: n[:2] in ("L_", "F_", "P_")),
    "gecco": ("gecco/gecco2018_to_2016-09-01.csv", "Time",
              "%Y-%m-%d %H:%M:%S",
              lambda n: n in ("Tp", "Cl", "pH", "Redox", "Leit", "Trueb",
                              "Cl_2", "Fm", "Fm_2")),
}


EVENTS_BEGIN = {"gecco": datetime.datetime(2016, 8, 14)}
CALM = 6, datetime.timedelta(minutes=30)


def counted_from(rows):
    """When 15 % of a series are over."""
    times = {}
    for name, t, _ in rows:
        times.setdefault(name, []).append(t)
    return {name: t[len(t) * 15 // 100] for name, t in times.items()}


def hours_after(events):
    return {t + datetime.timedelta(hours=h) for t in
            (e.replace(minute=0, second=0) for e in events)
            for h in range(-1, AFTER // datetime.timedelta(hours=1) + 1)}


def rate(judged, begin, hidden, weeks):
    """Alarms a week and series."""
    n = 0
    with open(judged, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["alarm"] != "1" or row["rule"] not in STATISTICAL:
                continue
            t = parse(row["ts"])
            n += (t >= begin[row["node"]] and
                  t.replace(minute=0, second=0) not in hidden)
    return n / weeks


def joint_rate(judged, begin, hidden):
    """Alarms a week, of all that is judged jointly, and the weeks."""
    n, calm, last, shown = 0, CALM[0], None, set()
    with open(judged, newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            t = parse(row["ts"])
            hour = t.replace(minute=0, second=0)
            if t < begin:
                continue
            if hour not in hidden:
                shown.add(hour)
            if row["alarm"] != "1":
                calm += 1
                continue
            if (calm >= CALM[0] and (last is None or t - last > CALM[1])
                    and hour not in hidden):
                n += 1
            calm, last = 0, t
    weeks = len(shown) / 168
    return n / weeks, weeks


def told(came):
    return ", ".join(f"{c:.2f}" for c in came)


def run(lab, data, score, work):
    long, out = work / "in.csv", work / "out.csv"
    for name, (path, *how) in SETS.items():
        if not (data / path).exists():
            continue
        rows, events = wide(data / path, *how)
        begin, end = counted_from(rows), rows[-1][1]
        hidden = hours_after(events)
        half = EVENTS_BEGIN.get(name, rows[len(rows) // 2][1])
        weeks = sum((end - t).total_seconds() for t in begin.values()) / 604800
        with open(long, "w", encoding="utf-8") as f:
            f.write("node,metric,unit,ts,value\n")
            f.writelines(f"{n},value,,{iso(t)},{v}\n" for n, t, v in rows)
        came, jointly = [], []
        for target in TARGETS:
            lab("detect", "--input", long, "--output", out,
                "--alarms-a-week", target)
            came.append(rate(out, begin, hidden, weeks))
            lab("detect", "--joint", "--input", long, "--output", out,
                "--alarms-a-week", target, "--train-until", iso(half))
            came_so, judged = joint_rate(out, half, hidden)
            jointly.append(came_so)
        yield (f"{name}: alarms a week and series at 0.1, 1, 7", told(came),
               "<= 2 x", "1/3 to 1 x",
               all(c <= 2 * t for c, t in zip(came, TARGETS)), "")
        yield (f"{name}, jointly: alarms a week at 0.1, 1, 7", told(jointly),
               "<= 2 x", "1/3 to 1 x",
               all(c <= max(2 * t, 1 / judged)
                   for c, t in zip(jointly, TARGETS)), "")
