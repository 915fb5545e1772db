"""L-Town, first quarter of 2019 (BattLeDIM): two inlets, a pump and its tank,
every five minutes. An abrupt leak is found if an alarm comes within 24 hours
of its onset; an alarm is false if no leak that was not yet alarmed had begun
and not ended (Vrachimis et al. 2022, "Battle of the leakage detection and
isolation methods", J. Water Resour. Plann. Manage. 148(12), has the data and
pays for alarms while a leak lasts)."""

import csv
import datetime

from long_file import parse, write_long

HERE = "battledim"
DAY = datetime.timedelta(hours=24)


def readings(data):
    for name, metric in (("flows", "flow"), ("levels", "level")):
        with open(data / HERE / f"{name}_2019Q1.csv", encoding="utf-8") as f:
            for row in csv.DictReader(f, delimiter=";"):
                t = datetime.datetime.fromisoformat(row.pop("Timestamp"))
                for node, value in row.items():
                    yield node, metric, t, value.replace(",", ".")


def leaks(data):
    """(pipe, onset, end, whether it was abrupt)"""
    with open(data / HERE / "leaks_to_2019Q1.txt", encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.split(",")]
            if line.strip() and not line.startswith("#"):
                yield (cells[0], *map(datetime.datetime.fromisoformat,
                                      cells[1:3]), cells[4] == "abrupt")


def run(lab, data, score, work):
    long, out = work / "long.csv", work / "out.csv"
    write_long(long, sorted(readings(data), key=lambda r: r[2]))
    lab("leaks", "--input", long, "--output", out)
    with open(out, encoding="utf-8") as f:
        alarms = sorted(parse(row["alarmed"]) for row in csv.DictReader(f))
    open_leaks, found, false, late = list(leaks(data)), [], 0, []
    abrupt = sum(leak[3] for leak in open_leaks)
    for at in alarms:
        begun = [k for k in open_leaks if k[1] <= at <= k[2]]
        if not begun:
            false += 1
            continue
        # The newest abrupt one explains it best, else what grows.
        leak = max(begun, key=lambda k: (k[3] and at - k[1] <= DAY, k[1]))
        open_leaks.remove(leak)
        (found if leak[3] and at - leak[1] <= DAY else late).append(
            f"{leak[0]} {(at - leak[1]).total_seconds() / 3600:.0f} h")
    yield ("L-Town abrupt leaks within 24 h", f"{len(found)} of {abrupt}",
           "most", "all", len(found) > abrupt / 2,
           "; ".join(found + [f"later {k}" for k in late]))
    yield ("L-Town false alarms", str(false), "<= 1", "0", false <= 1, "")
