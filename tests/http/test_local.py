"""The local set-up as a person has it: at a terminal, and in the background,
with servers that die."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from support.service import ROOT, alive, wait_for

NAMES = ("kore", "watch", "postgres", "redis", "archive")


class Terminal:
    """scripts/run in the foreground of a terminal of its own."""

    def __init__(self, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A person's shell does not ignore it, whoever runs the tests.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(ROOT / "scripts/run", ["run", "--no-demo"], env)
        self.text = ""

    def read(self, seconds=0.1):
        """False once it has ended."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:  # Linux: no one has the terminal open any more
                return False
        return True

    def shows(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert self.read() and time.monotonic() < end, self.text

    def type(self, keys):
        os.write(self.fd, keys)

    def end(self, seconds):
        end = time.monotonic() + seconds
        while self.read():
            assert time.monotonic() < end, self.text
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def watched(own_service):
    service = own_service()
    del service.env["PENSTOCK_WATCH"]
    return service


def lose_servers(service):
    before = [service.pid(name) for name in ("postgres", "redis")]
    for name in ("postgres", "redis"):
        service.kill(name)
    return before


def test_at_a_terminal(watched):
    terminal = Terminal(watched.env)
    terminal.shows("Ctrl-C stops it")
    first = lose_servers(watched)
    terminal.shows("postgres is back")
    terminal.shows("redis is back")
    wait_for("ready again", watched.ready, 30)
    pids = [watched.pid(name) for name in NAMES] + watched.workers()
    assert not set(first) & set(pids)
    terminal.type(b"\x03\x03")  # people press it twice
    assert terminal.end(20) == 130
    assert not [pid for pid in pids if alive(pid)]
    assert not list((watched.state / "pid").iterdir())


def test_ctrl_c_while_a_server_is_down(watched):
    watched.env["PENSTOCK_WATCH"] = "no"
    terminal = Terminal(watched.env)
    terminal.shows("Ctrl-C stops it")
    pids = [watched.pid("kore")] + watched.workers()
    lose_servers(watched)
    terminal.type(b"\x03")
    assert terminal.end(25) == 130
    assert not [pid for pid in pids if alive(pid)]


def test_the_background_brings_back(watched):
    watched.start()
    kore = watched.pid("kore")
    lose_servers(watched)
    wait_for("both are back", lambda: len(re.findall(
        "is back", (watched.state / "log/watch.log").read_text())) == 2, 30)
    wait_for("ready again", watched.ready, 30)

    os.killpg(watched.pid("watch"), signal.SIGKILL)
    lose_servers(watched)
    # The workers look at their servers now and then.
    wait_for("not ready", lambda: not watched.ready(), 30)
    assert "bringing back what has died" in watched.start()
    # Each worker finds its servers again by itself.
    wait_for("ready again", watched.ready, 30)
    assert watched.pid("kore") == kore
    assert all(alive(watched.pid(name)) for name in NAMES)

    again = subprocess.run(
        [ROOT / "scripts/run", "-d", "--no-demo"], env=watched.env,
        capture_output=True, text=True, timeout=60)
    assert again.returncode != 0 and "already running" in again.stderr
