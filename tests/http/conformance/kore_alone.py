"""Kore's own parser, plain on loopback, with a page behind it."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from cases import Seen
from support.service import free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULE = (pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build")) /
          "tests/kore_alone/kore_alone.so")

CONF = """
load ./kore_alone.so
workers 1
http_header_max 8192
server plain {{
	bind 127.0.0.1 {port}
	tls no
}}
domain * {{
	attach plain
	route ^.*$ page
}}
"""


def available():
    return MODULE.exists() and shutil.which("kore") is not None


class KoreAlone:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        shutil.copy(MODULE, self.folder)
        (self.folder / "conf").write_text(CONF.format(port=self.port))
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["kore", "-fnr", "-c", "conf"], cwd=self.folder,
            stdout=self.log, stderr=subprocess.STDOUT)
        self.at = 0
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def new(self):
        """The requests that the page saw since the last look."""
        with open(self.folder / "log", "rb") as file:
            file.seek(self.at)
            text = file.read()
        self.at += len(text)
        found = []
        for line in text.decode("latin-1").split("\n"):
            if line.startswith("seen "):
                _, method, path, query, body = line.split(" ")
                target = bytes.fromhex(path).decode("latin-1")
                if query:
                    target += "?" + bytes.fromhex(query).decode("latin-1")
                found.append(Seen(method, target, bytes.fromhex(body)))
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
