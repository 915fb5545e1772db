"""Runs penstock-lab on the data sets of ../shared and prints one table: what
it reached, what it must reach, what others published. A case is a module
case_NAME.py: HERE, the folder of data it needs, and run(lab, data, score,
work), which yields rows (figure, ours, must, aim, reached, published)."""

import argparse
import importlib
import pathlib
import subprocess
import sys
import tempfile

HOME = pathlib.Path(__file__).resolve().parent
ROOT = HOME.parents[1]
HEAD = ("figure", "ours", "must", "aim", "", "published")


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stderr}")
    return done.stdout


def table(rows):
    rows = [HEAD, *rows]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
    for r in rows:
        print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())


def main():
    cases = sorted(p.stem[5:] for p in HOME.glob("case_*.py"))
    parser = argparse.ArgumentParser(prog="scripts/quality")
    parser.add_argument("case", nargs="*", choices=[[], *cases])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--shared", type=pathlib.Path,
                        default=ROOT.parent / "shared")
    options = parser.parse_args()
    sys.path.insert(0, str(HOME))
    data, scorers = options.shared / "data", options.shared / "score"
    program = options.build / "src/cmd/penstock-lab"
    rows = []
    for name in options.case or cases:
        case = importlib.import_module(f"case_{name}")
        if not (data / case.HERE).is_dir() or not scorers.is_dir():
            print(f"skipped {name}: there is no {data / case.HERE}")
            continue
        with tempfile.TemporaryDirectory() as work:
            for *row, reached, published in case.run(
                    lambda *a: run(program, *a), data,
                    lambda name, *a: run(sys.executable, scorers / name, *a),
                    pathlib.Path(work)):
                rows.append((*row, "reached" if reached else "MISSED",
                             published))
                print("  ".join(rows[-1]), flush=True)
    if rows:
        print()
        table(rows)


if __name__ == "__main__":
    main()
