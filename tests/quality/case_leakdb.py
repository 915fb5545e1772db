"""LeakDB, one scenario of Net1: a leak among metered demands, flows and
pressures, judged jointly every half hour; learnt from the ten weeks before the
leak's month. Published figures are of other scenarios and of rates a day:
Vrachimis et al. 2018, WDSA/CCWI, none to compare with one scenario."""

import csv
import datetime

from long_file import write_long

HERE = "leakdb"
UNTIL = datetime.datetime(2017, 3, 15)
KINDS = {"Node": "demand", "Link": "flow", "Pressure": "pressure"}


def moment(text):
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def signals(row):
    when = moment(row.pop("timestamp"))
    for name, value in row.items():
        kind, code = name.split()
        yield code if kind != "Link" else f"L{code}", KINDS[kind], when, value


def run(lab, data, score, work):
    home = data / "leakdb"
    long, judged = work / "in.csv", work / "out.csv"
    with open(home / "net1_scenario1.csv", newline="") as f:
        write_long(long, (s for row in csv.DictReader(f)
                          for s in signals(row)))
    with open(home / "net1_scenario1_labels.csv", newline="") as f:
        leaks = {moment(r["timestamp"]): float(r["Label"]) > 0
                 for r in csv.DictReader(f)}
    lab("detect", "--joint", "--input", long, "--output", judged,
        "--train-until", f"{UNTIL.isoformat()}Z")
    with open(judged, newline="") as f:
        alarms = {datetime.datetime.fromisoformat(r["ts"][:-1]):
                  r["alarm"] == "1" for r in csv.DictReader(f)}
    onset = min(t for t, leak in leaks.items() if leak)
    calm = [t for t, leak in leaks.items() if not leak and t >= UNTIL]
    false = 100 * sum(alarms[t] for t in calm) / len(calm)
    first = min((t for t in alarms if alarms[t] and leaks[t]), default=None)
    hours = (first - onset).total_seconds() / 3600 if first else None
    yield ("LeakDB Net1, joint: hours to the leak's alarm (false-alarm rate)",
           "not found" if first is None else f"{hours:.1f} ({false:.1f} %)",
           "<= 24 (5 %)", "0", first is not None and hours <= 24
           and false <= 5, "none of one scenario")
