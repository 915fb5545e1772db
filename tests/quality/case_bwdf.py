"""Battle of Water Demand Forecasting: net inflow of ten districts, a week
ahead from every midnight of the last ten weeks, without weather. MAE: mean of
|y - f| over a district's origins and hours that have a value, then summed over
the districts. Published results are of other weeks (WDSA/CCWI 2024)."""

import csv
import datetime

from long_file import iso, parse, write_long

HERE = "bwdf"
WEEKS = 10
BASE = "mean_of_last_4_weeks"
METHODS = (BASE, "same_hour_last_week", "same_hour_last_day",
           "alpha_beta_window")


def read(data):
    with open(data / HERE / "inflow_utc_to_2022-07-24.csv",
              encoding="utf-8") as f:
        rows = csv.reader(f)
        names = next(rows)[1:]
        return {(parse(row[0]), name): float(cell) for row in rows
                for name, cell in zip(names, row[1:]) if cell}


def origins(values):
    """Midnights of the wall's clock, a whole week of data behind each."""
    end = max(t for t, _ in values) + datetime.timedelta(hours=1)
    return [end - datetime.timedelta(days=d) for d in range(7 * WEEKS, 6, -1)]


def holidays(data):
    with open(data / HERE / "Holidays.txt", encoding="utf-8") as f:
        return ["-".join(reversed(line.strip().split("/"))) + "\n"
                for line in f if "/" in line]


def scores(path, values):
    """(method, node) to its MAE, and the share inside the band."""
    sums, inside = {}, []
    with open(path, encoding="utf-8") as f:
        for row in csv.DictReader(f):
            y = values.get((parse(row["ts"]), row["node"]))
            if y is None:
                continue
            s = sums.setdefault((row.get("method"), row["node"]), [0.0, 0])
            s[0] += abs(y - float(row["value"]))
            s[1] += 1
            if "lower95" in row:
                inside.append(float(row["lower95"]) <= y <=
                              float(row["upper95"]))
    return ({k: s / n for k, (s, n) in sums.items()},
            sum(inside) / max(len(inside), 1))


def run(lab, data, score, work):
    values = read(data)
    paths = {n: work / f"{n}.csv" for n in (
        "long", "origins", "holidays", "out", "baselines")}
    write_long(paths["long"], ((node, "value", t, v)
                               for (t, node), v in sorted(values.items())))
    paths["origins"].write_text("".join(f"{iso(t)}\n" for t in
                                        origins(values)))
    paths["holidays"].write_text("".join(holidays(data)))
    lab("forecast", "--input", paths["long"], "--origins", paths["origins"],
        "--horizon", "168h", "--calendar", paths["holidays"], "--zone",
        "Europe/Rome", "--baselines", paths["baselines"], "--output",
        paths["out"])
    ours, covered = scores(paths["out"], values)
    base, _ = scores(paths["baselines"], values)
    total = {m: sum(e for (method, _), e in base.items() if method == m)
             for m in METHODS}
    ratio = sum(ours.values()) / total[BASE]
    yield ("BWDF MAE of 168 h / mean of 4 weeks", f"{ratio:.4f}", "<= 0.93",
           "<= 0.88", ratio <= 0.93, "; ".join(
               f"{m} {total[m] / total[BASE]:.3f}" for m in METHODS[1:]))
    yield ("BWDF districts, each", " ".join(
        f"{e / base[BASE, node]:.2f}" for (_, node), e in
        sorted(ours.items(), key=lambda i: int(i[0][1][3:]))), "", "", True,
        "")
    yield ("BWDF coverage of 95 % bands", f"{100 * covered:.1f} %",
           "93-97 %", "", 0.93 <= covered <= 0.97, "")
