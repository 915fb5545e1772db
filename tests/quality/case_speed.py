"""What judging costs: readings a second on one core, the best of three runs
over BATADAL's signals, and what is remembered of a series."""

import re

from case_batadal import hours

HERE = "batadal"
RUNS = 3


def run(lab, data, score, work):
    long, judged = work / "in.csv", work / "out.csv"
    with open(long, "w", encoding="utf-8") as f:
        f.write("node,metric,unit,ts,value\n")
        f.writelines(
            f"{name},value,,{ts},{value}\n"
            for _, ts, row in hours(data / HERE / "BATADAL_dataset03.csv")
            for name, value in row.items())
    said = [re.search(r"(\d+) a second; (\d+) bytes",
                      lab("detect", "--time", "--input", long, "--output",
                          judged)) for _ in range(RUNS)]
    best, size = max(int(m[1]) for m in said), int(said[0][2])
    yield ("speed, readings a second and core", f"{best:,}", ">= 200,000",
           "1,000,000", best >= 200000, "")
    yield ("memory of a series", f"{size / 1024:.1f} KiB", "<= 16 KiB",
           "4 KiB", size <= 16 * 1024, "")
