"""The Numenta Anomaly Benchmark: streams with labelled windows, each reading
judged by itself. Published, on the whole benchmark: the scoreboard of
github.com/numenta/NAB, version 1.1 (other streams than the part here, so near
and not the same)."""

import csv
import datetime

PUBLISHED = "ARTime 74.9, Numenta HTM 70.5, CAD OSE 69.9, KNN CAD 58.0, random cut forest 51.7"
HERE = "nab"


def streams(data):
    return sorted((data / "nab/data").glob("*/*.csv"))


def rows_of(path):
    with open(path, newline="") as f:
        return [(r["timestamp"], r["value"]) for r in csv.DictReader(f)]


def times(rows):
    """The streams' own; where some repeat or go back, row by row by the most
    frequent step."""
    given = [datetime.datetime.fromisoformat(ts) for ts, _ in rows]
    steps = [b - a for a, b in zip(given, given[1:])]
    if all(s > datetime.timedelta(0) for s in steps):
        return given
    step = max(set(steps) - {datetime.timedelta(0)}, key=steps.count)
    return [given[0] + i * step for i in range(len(given))]


def run(lab, data, score, work):
    rows = {f"{p.parent.name}/{p.name}": rows_of(p) for p in streams(data)}
    long, judged, result = (work / n for n in ("in.csv", "out.csv", "nab.csv"))
    with open(long, "w") as f:
        f.write("node,metric,unit,ts,value\n")
        for name, stream in rows.items():
            f.writelines(f"{name},value,,{when.isoformat()}Z,{value}\n"
                         for when, (_, value) in zip(times(stream), stream))
    lab("detect", "--input", long, "--output", judged)
    with open(judged, newline="") as f, open(result, "w", newline="") as g:
        given = {name: iter(stream) for name, stream in rows.items()}
        csv.writer(g).writerows((r["node"], next(given[r["node"]])[0],
                                 r["score"]) for r in csv.DictReader(f))
    said = score("nab_score.py", result)
    standard = float(said.split("score ")[1].split()[0])
    yield ("NAB part, standard score", f"{standard:.1f}", "> 55", "> 70",
           standard > 55, PUBLISHED)
