"""M4's hourly series, the last 48 points of each held out.

sMAPE, MASE, OWA: Makridakis, Spiliotis, Assimakopoulos 2020, "The M4
Competition", IJF 36(1), section 2; Naive2 is the naive method on data that
classical multiplicative decomposition deseasonalised, if the 90 % test of the
autocorrelation at lag 24 says it is seasonal. MSIS: Gneiting and Raftery 2007,
JASA 102(477), in units of MASE's. Published figures are of the competition's
own 48 points after these."""

import csv
import datetime
import math

from long_file import iso, write_long

HERE = "m4"
HELD_OUT = 48
SEASON = 24
FIGURES = ("smape", "smape2", "mase", "mase2", "msis", "covered")


def read(data):
    with open(data / HERE / "Hourly-train.csv", encoding="utf-8") as f:
        rows = csv.reader(f)
        next(rows)
        return {row[0]: [float(c) for c in row[1:] if c not in ("", "NA")]
                for row in rows}


def acf(y, k):
    mean = sum(y) / len(y)
    return (sum((a - mean) * (b - mean) for a, b in zip(y, y[k:])) /
            sum((a - mean) ** 2 for a in y))


def is_seasonal(y, m):
    if len(y) < 3 * m:
        return False
    limit = 1.645 * math.sqrt(
        (1 + 2 * sum(acf(y, k) ** 2 for k in range(1, m))) / len(y))
    return abs(acf(y, m)) > limit


def seasonal_indices(y, m):
    """Classical multiplicative decomposition, m even."""
    half = m // 2
    ratios = [[] for _ in range(m)]
    for t in range(half, len(y) - half):
        trend = (y[t - half] / 2 + sum(y[t - half + 1:t + half]) +
                 y[t + half] / 2) / m
        ratios[t % m].append(y[t] / trend)
    raw = [sum(r) / len(r) for r in ratios]
    mean = sum(raw) / m
    return [r / mean for r in raw]


def naive2(y, m, horizon):
    if not is_seasonal(y, m):
        return [y[-1]] * horizon
    index = seasonal_indices(y, m)
    level = y[-1] / index[(len(y) - 1) % m]
    return [level * index[(len(y) + h) % m] for h in range(horizon)]


def smape(y, f):
    return sum(200 * abs(a - b) / (abs(a) + abs(b)) if a or b else 0
               for a, b in zip(y, f)) / len(y)


def figures(past, y, points):
    f = [p[0] for p in points]
    scale = (sum(abs(a - b) for a, b in zip(past, past[SEASON:])) /
             (len(past) - SEASON))
    other = naive2(past, SEASON, HELD_OUT)
    width = sum(u - l + 40 * (max(l - a, 0) + max(a - u, 0))
                for a, (_, l, u) in zip(y, points))
    return dict(zip(FIGURES, (
        smape(y, f), smape(y, other),
        sum(abs(a - b) for a, b in zip(y, f)) / HELD_OUT / scale,
        sum(abs(a - b) for a, b in zip(y, other)) / HELD_OUT / scale,
        width / HELD_OUT / scale,
        sum(l <= a <= u for a, (_, l, u) in zip(y, points)) / HELD_OUT)))


def run(lab, data, score, work):
    series = read(data)
    hour = datetime.timedelta(hours=1)
    origin = datetime.datetime(2020, 3, 2)  # they have no times: one for all
    long, out = work / "long.csv", work / "out.csv"
    write_long(long, (
        (name, "value", origin + (HELD_OUT - len(y) + i) * hour, v)
        for name, y in series.items() for i, v in enumerate(y[:-HELD_OUT])))
    lab("forecast", "--input", long, "--origin", iso(origin), "--horizon",
        f"{HELD_OUT}h", "--output", out)
    ours = {}
    with open(out, encoding="utf-8") as f:
        for row in csv.DictReader(f):
            ours.setdefault(row["node"], []).append(
                [float(row[c]) for c in ("value", "lower95", "upper95")])
    each = [figures(y[:-HELD_OUT], y[-HELD_OUT:], ours[name])
            for name, y in series.items()]
    mean = {k: sum(e[k] for e in each) / len(each) for k in FIGURES}
    owa = (mean["smape"] / mean["smape2"] + mean["mase"] / mean["mase2"]) / 2
    yield ("M4 hourly OWA", f"{owa:.4f}", "< 0.60", "< 0.45", owa < 0.60,
           "M4: winner 0.440, second 0.484, Naive2 1")
    yield ("M4 hourly sMAPE, MASE", f'{mean["smape"]:.2f}, {mean["mase"]:.3f}',
           "", "", True,
           f'Naive2 {mean["smape2"]:.2f}, {mean["mase2"]:.3f}')
    yield ("M4 hourly MSIS", f'{mean["msis"]:.2f}', "< 12", "< 7.5",
           mean["msis"] < 12, "")
    yield ("M4 hourly coverage of 95 % bands",
           f'{100 * mean["covered"]:.1f} %', "93-97 %", "",
           0.93 <= mean["covered"] <= 0.97, "")
