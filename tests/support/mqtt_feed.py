"""penstock-mqtt between a test's broker and its service."""

import os
import pathlib
import signal
import subprocess
import tempfile

import requests

from support.service import ROOT, free_port, wait_for

PROGRAM = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-mqtt"


class Feed:
    def __init__(self, broker, url, ca=None, key="none", topics="", **more):
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-feed.")
        self.path = pathlib.Path(self.folder.name)
        (self.path / "topics").write_text(topics)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PENSTOCK_")}
        settings = {"BROKER": broker.url, "SERVICE": url, "KEY": key,
                    "METRICS_PORT": free_port(), "SERVICE_CA": ca or "", "TOPICS": self.path / "topics",
                    **more}
        self.env.update({f"PENSTOCK_MQTT_{k}": str(v)
                         for k, v in settings.items()})
        self.metrics = f"http://127.0.0.1:{settings['METRICS_PORT']}/metrics"
        self.process = None

    def start(self, connected=True):
        before = self.said().count("connected to")
        with open(self.path / "said", "ab") as said:
            self.process = subprocess.Popen(
                [PROGRAM], env=self.env, stdout=said, stderr=said)
        if connected:
            try:
                wait_for("connected", lambda: self.said().count(
                    "connected to") > before, 30)
            except AssertionError:
                raise AssertionError(self.said()) from None

    def said(self):
        path = self.path / "said"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def counts(self):
        with requests.Session() as session:
            session.trust_env = False
            lines = session.get(self.metrics, timeout=5).text.splitlines()
        return {w[0].removeprefix("penstock_mqtt_").removesuffix("_total"):
                int(w[1]) for w in (line.split() for line in lines)
                if w[0] != "#"}

    def acknowledged(self, n):
        """What it counted, once it has acknowledged that many."""
        wait_for(f"{n} acknowledged", lambda: self.counts()["acknowledged"]
                 >= n, 30)
        return self.counts()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.said()

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.folder.cleanup()
