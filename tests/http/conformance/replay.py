"""Sends a case and tells what came of it: the answers, and what the handler
behind the edge saw."""

import json
import pathlib
import socket
import ssl

from cases import Seen
from raw import Closed, Raw


class Plain(Raw):
    """The same without TLS."""

    def __init__(self, port, timeout=5, source=""):
        self.sock = socket.create_connection(
            ("127.0.0.1", port), timeout, (source, 0))
        self.buffer = bytearray()


def send(raw, data):
    """All of it, then FIN; a server may have refused it before the end."""
    try:
        raw.send(data)
    except OSError:
        pass
    try:
        # Of TLS only the connection below: the answers are still read.
        socket.socket.shutdown(raw.sock, socket.SHUT_WR)
    except OSError:
        pass


def rest(raw):
    """Everything until the server ends the connection, or is silent."""
    try:
        while True:
            raw._more()
    except (Closed, ConnectionError, TimeoutError, ssl.SSLError):
        pass


def answers(raw, data):
    """The statuses of the answers in what was received; 100 is none."""
    head_only = data.startswith(b"HEAD ")
    rest(raw)
    found = []
    raw._more = lambda: (_ for _ in ()).throw(EOFError())
    try:
        while raw.buffer:
            found.append(raw.answer(head_only).status)
    except EOFError:
        found.append("cut")
    return [status for status in found if status != 100]


class Record:
    """What a probe started with record=1 wrote since the last look."""

    def __init__(self, probe):
        self.path = pathlib.Path(probe.folder) / "log"
        self.at = self.path.stat().st_size

    def new(self):
        """Seen requests, and "refused" for each that the gate refused."""
        with open(self.path, "rb") as file:
            file.seek(self.at)
            text = file.read()
        self.at += len(text)
        found = []
        for line in text.decode().splitlines():
            if line.startswith("seen "):
                r = json.loads(line[5:])
                target = r["path"] + ("?" + r["query"] if r["query"] else "")
                found.append(Seen(r["method"], target, bytes.fromhex(r["body"])))
            elif '"edge_refused"' in line:
                found.append("refused")
        return found
