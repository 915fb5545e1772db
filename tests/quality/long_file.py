"""Long files for penstock-lab."""

import csv
import datetime


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def write_long(path, rows):
    """rows: node, metric, time, value."""
    with open(path, "w", newline="", encoding="utf-8") as f:
        f.write("node,metric,unit,ts,value\n")
        csv.writer(f).writerows((n, m, "", iso(t), v) for n, m, t, v in rows)
