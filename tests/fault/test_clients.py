"""Clients that hold connections: one byte a second, or nothing at all. The
load beside them is served as before."""

import contextlib
import pathlib
import resource
import socket
import ssl
import subprocess
import sys
import time

import pytest

from support.service import ROOT, wait_for

SLOW = 60  # clients of each kind
IDLE = 10_000
SPARE = 2000  # descriptors: what a worker needs besides its connections
HEADER_S, BODY_S = 3, 4

HEAD = ("POST /api/v1/readings HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
        "Content-Length: 400\r\n\r\n")


class Drip:
    """Sends one byte a second of its bytes, and keeps what comes back."""

    def __init__(self, service, at_once, slowly, tls=True):
        self.sock = socket.create_connection(("127.0.0.1", service.port), 10)
        if tls:
            self.sock = ssl.create_default_context(
                cafile=service.ca).wrap_socket(
                    self.sock, server_hostname="localhost")
        self.sock.sendall(at_once)
        self.sock.setblocking(False)
        self.slowly, self.got, self.ended = slowly, b"", None
        self.began = time.monotonic()

    def second(self):
        if self.ended is not None:
            return
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError,
                                 OSError):
            self.sock.send(self.slowly[:1])
            self.slowly = self.slowly[1:]
        try:
            while data := self.sock.recv(4096):
                self.got += data
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            pass
        self.ended = time.monotonic() - self.began
        self.sock.close()


def test_one_byte_a_second(under_load):
    loaded = under_load({"PENSTOCK_HEADER_TIMEOUT": HEADER_S,
                         "PENSTOCK_BODY_TIMEOUT": BODY_S})
    service, moment = loaded.service, time.monotonic()
    head = HEAD.format(key=service.device_key).encode()
    drips = {
        "header": [Drip(service, b"", head) for _ in range(SLOW)],
        "body": [Drip(service, head, b" " * 400) for _ in range(SLOW)],
        "handshake": [Drip(service, b"", b"\x16\x03\x01\x02\x00" + b"x" * 500,
                           tls=False) for _ in range(SLOW)],
    }
    everyone = [d for kind in drips.values() for d in kind]

    def all_cut():
        for drip in everyone:
            drip.second()
        return all(d.ended is not None for d in everyone)

    wait_for("the end of every slow client", all_cut, 30, 1)
    for kind in ("header", "body"):
        assert {d.got[:12] for d in drips[kind]} == {b"HTTP/1.1 408"}, kind
    assert not loaded.refused_since(moment), "the load was refused"
    loaded.prove(slow=len(everyone), cut_after_s={
        kind: round(max(d.ended for d in of), 1)
        for kind, of in drips.items()})


def memory_mib(service):
    """Resident memory of the workers, without what they share."""
    total = 0
    for pid in service.workers():
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().split("\n"):
            if line.startswith("RssAnon:"):
                total += int(line.split()[1])
    return round(total / 1024)


def test_idle_connections(under_load):
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = IDLE if limit < 0 else min(IDLE, limit - SPARE)
    if count < SPARE:
        pytest.skip(f"only {limit} open files are allowed here")
    loaded = under_load({"PENSTOCK_CONNECTIONS_PER_ADDRESS": 0,
                         "PENSTOCK_CONNECTIONS_MAX": count + 500,
                         "PENSTOCK_KEEPALIVE": 300,
                         "PENSTOCK_HEADER_TIMEOUT": 60}, pause=0.5)
    service, before = loaded.service, memory_mib(loaded.service)
    moment = time.monotonic()
    idle = subprocess.Popen(
        [sys.executable, ROOT / "tests/support/idle.py", str(service.port),
         service.ca, str(count)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    try:
        assert idle.stdout.readline() == f"open {count}\n"
        opened = time.monotonic() - moment
        loaded.back(time.monotonic())
        loaded.more(5000)
        after = memory_mib(service)
        assert not loaded.refused_since(moment), "the load was refused"
        answered, _ = idle.communicate("ask\n", timeout=60)
        assert answered == f"answered {count}\n", "a connection was lost"
    finally:
        idle.kill()
        idle.wait()
    loaded.prove(idle=count, opened_s=round(opened, 1),
                 workers_mib=[before, after],
                 kib_each=round((after - before) * 1024 / count, 1))
