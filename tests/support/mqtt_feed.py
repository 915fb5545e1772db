"""penstock-mqtt between a test's broker and its service."""

import os
import pathlib
import signal
import subprocess
import tempfile

from support.service import ROOT, wait_for

PROGRAM = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-mqtt"


class Feed:
    def __init__(self, broker, url, ca=None, key="none", topics="", **more):
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-feed.")
        self.path = pathlib.Path(self.folder.name)
        (self.path / "topics").write_text(topics)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PENSTOCK_")}
        self.env.update(
            PENSTOCK_MQTT_BROKER=broker.url, PENSTOCK_MQTT_SERVICE=url,
            PENSTOCK_MQTT_SERVICE_CA=ca or "", PENSTOCK_MQTT_KEY=key,
            PENSTOCK_MQTT_TOPICS=str(self.path / "topics"),
            **{f"PENSTOCK_MQTT_{k}": str(v) for k, v in more.items()})
        self.process = None

    def start(self, connected=True):
        before = self.said().count("connected to")
        with open(self.path / "said", "ab") as said:
            self.process = subprocess.Popen(
                [PROGRAM], env=self.env, stdout=said, stderr=said)
        if connected:
            wait_for("connected", lambda: self.said().count("connected to")
                     > before, 30)

    def said(self):
        path = self.path / "said"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """What it counted."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.said()
        return {w[0]: int(w[1]) for w in (
            line.split() for line in self.said().splitlines())
            if len(w) == 2 and w[1].isdigit()}

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.folder.cleanup()
