"""A whole Penstock of its own for a test: started by scripts/run, with its
own state folder and port, and stopped by scripts/stop."""

import contextlib
import hmac
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg2
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Limits are drawn on, but only a test of them comes near: all clients here have
# one address, and the machine may be slow.
UNLIMITED = {f"PENSTOCK_LIMIT_{name}": "1000000/1" for name in (
    "LOGIN", "CHANGE", "READ", "INGEST", "ADDRESS_LOGIN", "ADDRESS_CHANGE",
    "ADDRESS_READ", "ADDRESS_INGEST")} | {
        "PENSTOCK_SHED_LAG": "10000",
        # Who tests forecasts says when they are made.
        "PENSTOCK_FIT_AT": "off"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=15.0, step=0.1):
    """The condition's first true value; fails naming `what` otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(step)


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


class Service:
    def __init__(self, state=None, **settings):
        # The service user must be able to enter it, whoever runs the test.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-test."))
        self.folder.chmod(0o755)
        self.state = pathlib.Path(state or self.folder / "state")
        self.port = free_port()
        self.gateway_port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PENSTOCK_TEST_")}
        self.env.update(PENSTOCK_STATE=str(self.state),
                        PENSTOCK_PORT=str(self.port),
                        PENSTOCK_GATEWAY_PORT=str(self.gateway_port),
                        PENSTOCK_WATCH="no", **UNLIMITED)
        self.env.update({k: str(v) for k, v in settings.items()})
        self._tokens = {}
        self.violations = 0  # of the sandbox, that the test made itself

    # -- life ---------------------------------------------------------------

    def start(self, *options):
        done = subprocess.run(
            [ROOT / "scripts/run", "-d", *(options or ["--no-demo"])],
            env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        subprocess.run([ROOT / "scripts/stop"], env=self.env, timeout=60,
                       check=True)

    def join(self):
        """True if a service of this state runs: it is used as it is."""
        try:
            pid, start = (self.state / "pid" / "kore").read_text().split()
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ValueError):
            return False
        if stat.rsplit(")", 1)[1].split()[19] != start:
            return False
        settings = (self.state / "penstock.env").read_text()
        self.use_port(int(
            re.search(r"^PENSTOCK_PORT=(\d+)$", settings, re.M)[1]))
        wait_for("ready", self.ready, 60)
        return True

    def use_port(self, port):
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        self.env["PENSTOCK_PORT"] = str(port)

    def remove(self, running=False):
        if not running:
            self.stop()
        log = self.state / "log" / "kore.log"
        violated = log.exists() and self.violations < self.log().count(
            "died from sandbox violation")
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not violated, "a worker made a system call it may not"

    def lib(self, commands, timeout=60):
        """Run functions of scripts/lib.sh on this state."""
        subprocess.run(
            ["bash", "-c", f". {ROOT}/scripts/lib.sh; prepare_state; "
             + commands], env=self.env, check=True, timeout=timeout)

    def pid(self, name):
        return int((self.state / "pid" / name).read_text().split()[0])

    def workers(self, name="kore"):
        """Pids of Kore's worker processes."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.pid(name)), "-f", "wrk"],
            capture_output=True, text=True).stdout.split()
        return [int(p) for p in found]

    def kill(self, name, number=signal.SIGKILL):
        """With SIGKILL it is dead afterwards, and can be started again."""
        pid = self.pid(name)
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_for(f"the end of {name}", lambda: not alive(pid), step=0.002)

    # -- use ----------------------------------------------------------------

    @property
    def ca(self):
        return str(self.state / "ca.pem")

    def token(self, role):
        """A token of that role, kept for its life."""
        token, until = self._tokens.get(role, ("", 0))
        if time.monotonic() > until:
            done = subprocess.run([ROOT / "scripts/token", role],
                                  env=self.env, capture_output=True,
                                  text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            token = done.stdout.strip()
            self._tokens[role] = (token, time.monotonic() + 600)
        return token

    def forget_tokens(self):
        self._tokens.clear()

    @property
    def device_key(self):
        return (self.state / "secrets" / "device.key").read_text().strip()

    def session(self, role=None):
        s = requests.Session()
        s.verify = self.ca
        s.trust_env = False
        if role == "device":
            s.headers["Authorization"] = f"Bearer {self.device_key}"
        elif role is not None:
            s.headers["Authorization"] = f"Bearer {self.token(role)}"
        return s

    def call(self, method, path, role=None, **arguments):
        with self.session(role) as s:
            return s.request(method, self.url + path, timeout=20, **arguments)

    def gateway_secret(self, code, version=0):
        """As src/auth/gateway_key.h says."""
        own = (self.state / "secrets" / "gateways").read_text().strip()
        return hmac.new(own.encode(), f"penstock gateway {code} {version}"
                        .encode(), "sha256").hexdigest()

    @property
    def conninfo(self):
        sock = os.path.realpath(self.state / "sock")
        return f"host={sock} user=penstock dbname=penstock"

    @contextlib.contextmanager
    def db(self):
        connection = psycopg2.connect(self.conninfo)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def sql(self, statement, *parameters):
        with self.db() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def ready(self):
        try:
            return self.call("GET", "/ready").status_code == 200
        except requests.RequestException:
            return False

    def log(self):
        return (self.state / "log" / "kore.log").read_text(errors="replace")

    def make_series(self, node, *metrics, **members):
        """A node with these metrics, each with the unit of the catalogue."""
        with self.session("engineer") as session:
            return self.make_in(session, node, *metrics, **members)

    def make_many(self, nodes, *metrics):
        """As make_series(), over one connection."""
        with self.session("engineer") as session:
            for node in nodes:
                self.make_in(session, node, *metrics)

    def make_in(self, session, node, *metrics, type="junction", **members):
        units = {"pressure": "m", "flow": "m3/h", "level": "m"}
        answer = session.post(self.url + "/api/v1/nodes", timeout=20, json={
            "code": node, "name": node, "type": type,
            "series": [{"metric": m, "unit": units[m]} for m in metrics],
            **members})
        assert answer.status_code == 201, answer.text
        return answer.json()
