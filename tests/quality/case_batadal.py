"""BATADAL, C-Town's telemetry: learnt on the clean year (03), judged hour by
hour over the six months with seven attacks (04), with the control rules of the
network's file. Published, on the competition's test set (other attacks):
Taormina et al. 2018, J. Water Resour. Plann. Manage. 144(8)."""

import csv
import datetime

PUBLISHED = "Housh and Ohar 0.970, Abokifa 0.949, Giacomoni 0.927, Brentan 0.894"
HERE = "batadal"


def hours(path):
    """(text of the hour, RFC 3339, {signal: value}) of each row."""
    with open(path, newline="") as f:
        for row in csv.DictReader(f, skipinitialspace=True):
            when = datetime.datetime.strptime(row["DATETIME"], "%d/%m/%y %H")
            yield (row.pop("DATETIME"), f"{when.isoformat()}Z",
                   {k: v for k, v in row.items() if k != "ATT_FLAG"})


def run(lab, data, score, work):
    home = data / "batadal"
    clean = list(hours(home / "BATADAL_dataset03.csv"))
    attacked = list(hours(home / "dataset04_labelled.csv"))
    long, judged, result = (work / n for n in ("in.csv", "out.csv", "bat.csv"))
    with open(long, "w", newline="") as f:
        f.write("node,metric,unit,ts,value\n")
        csv.writer(f).writerows(
            (name, "value", "", ts, value)
            for _, ts, row in clean + attacked for name, value in row.items())
    lab("detect", "--joint", "--input", long, "--output", judged,
        "--train-until", attacked[0][1], "--network", home / "CTOWN.INP")
    with open(judged, newline="") as f:
        alarms = {r["ts"]: r["alarm"] for r in csv.DictReader(f)}
    with open(result, "w", newline="") as f:
        csv.writer(f).writerows((hour, alarms[ts]) for hour, ts, _ in attacked)
    said = dict(line.split() for line in
                score("batadal_score.py", result).splitlines())
    s, tnr = float(said["S"]), float(said["TNR"])
    found = round(float(said["detected"]))
    yield ("BATADAL 04, S (TNR, attacks found)",
           f"{s:.3f} ({tnr:.3f}, {found} of 7)", ">= 0.90 (0.95, 7)", "> 0.95",
           s >= .9 and tnr >= .95 and found == 7, PUBLISHED)
