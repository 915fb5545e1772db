"""Statements run by name, as the service runs them."""
import pathlib
import re
import subprocess

import psycopg2

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATEMENTS = ROOT / "sql" / "statements"


class Refused(Exception):
    """What refuse() said: (status, detail, pointer)."""


# What penstock-archive alone runs; the service may not.
ARCHIVERS = {"archive_" + name for name in (
    "begin", "class", "drop", "due", "file_add", "files_of", "home", "lock",
    "next", "ran", "restore_begin", "restore_end", "rollups", "rows",
    "run_begin", "run_end", "run_say", "seal", "setup", "spans_in",
    "touched")}
# What scripts run as the owner.
OWNERS = {"storage_sizes"}


def role_of(name):
    """The role that runs the statement of that name."""
    if name in OWNERS:
        return "penstock"
    return "penstock_archive" if name in ARCHIVERS else "penstock_serve"


class Database:
    """Runs statements by name, with $n as the service sends them: text, and
    as the role that sends them. sql() is the owner's."""

    def __init__(self, connection):
        self.connection = connection
        self.prepared = set()

    def sql(self, text, *args):
        with self.connection.cursor() as cursor:
            cursor.execute(text, args or None)
            return cursor.fetchall() if cursor.description else None

    def run(self, name, *args):
        if name not in self.prepared:
            self.sql(prepare(name))
            self.prepared.add(name)
        with self.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT one")
            call = f"EXECUTE test_{name}"
            if args:
                call += "(" + ", ".join(["%s"] * len(args)) + ")"
            try:
                cursor.execute(f"SET LOCAL ROLE {role_of(name)}")
                cursor.execute(call, args or None)
                rows = cursor.fetchall()
                cursor.execute("RESET ROLE")
            except psycopg2.Error as error:
                cursor.execute("ROLLBACK TO one")
                if error.pgcode and error.pgcode.startswith("PS"):
                    raise Refused(int(error.pgcode[2:]),
                                  error.diag.message_primary,
                                  error.diag.message_hint or "") from None
                raise
            cursor.execute("RELEASE one")
            return rows

    def body(self, name, *args):
        """The one row's body."""
        rows = self.run(name, *args)
        assert len(rows) == 1, (name, rows)
        return rows[0][0]


def prepare(name):
    text = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
    return f"PREPARE test_{name} AS {text}"


def parameters(name):
    """How many $n a statement names outside its comments."""
    text = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
    code = re.sub(r"--[^\n]*", "", text)
    return max((int(n) for n in re.findall(r"\$(\d+)", code)), default=0)


def run_c(tmp_path, source):
    """What a small C program prints, lines split at tabs."""
    binary = tmp_path / "dump"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-Isrc", "-x", "c", "-", "-o",
                    str(binary), "-lm"], input=source.encode(), cwd=ROOT,
                   check=True)
    out = subprocess.run([str(binary)], check=True, capture_output=True)
    return [line.split("\t") for line in out.stdout.decode().splitlines()]
