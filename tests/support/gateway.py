"""penstock-district as a field gateway alone, in one of its moods."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import requests

from support.service import ROOT, free_port

DISTRICT = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-district"


class Gateway:
    def __init__(self, mode, *options, secret=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if secret is not None:
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                file.write(secret)
            options = (*options, "--secret-file", file.name)
        self.process = subprocess.Popen(
            [DISTRICT, "--gateway-only", "--mode", mode, "--gateway-port",
             str(self.port), *options], stdout=subprocess.PIPE, text=True)
        assert json.loads(self.process.stdout.readline()) == {
            "event": "listening", "port": self.port}
        if secret is not None:
            os.unlink(file.name)

    def send(self, key="k1", timeout=5, **body):
        command = {"command": 1, "link": "V1", "action": "close_valve",
                   "argument": {}, **body}
        headers = {} if key is None else {"Idempotency-Key": key}
        return requests.post(self.url + "/commands", json=command,
                             headers=headers, timeout=timeout)

    def executions(self):
        return requests.get(self.url + "/state", timeout=5).json()["executions"]

    def stop(self):
        """The log, and how long it took to end."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == 0
        return ([json.loads(line) for line in out.splitlines()],
                time.monotonic() - started)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
