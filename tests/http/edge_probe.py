"""Runs the edge with an empty handler (tests/edge_probe) in a folder."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from raw import Raw, request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = (pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build")) /
          "tests/edge_probe/edge_probe.so")


def available():
    return MODULE.exists() and shutil.which("kore") is not None


def certificate(folder, name="localhost"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
         "key.pem", "-out", "cert.pem", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        cwd=folder, check=True, capture_output=True)


class Probe:
    def __init__(self, folder, port, prefix=(), **settings):
        self.folder = pathlib.Path(folder)
        self.port = port
        self.url = f"https://127.0.0.1:{port}"
        shutil.copy(MODULE, self.folder / "edge_probe.so")
        (self.folder / "probe.conf").write_text("load ./edge_probe.so\n")
        certificate(self.folder)
        self.ca = str(self.folder / "cert.pem")
        settings = {"port": port, "cert": self.ca,
                    "key": self.folder / "key.pem", **settings}
        env = dict(os.environ,
                   **{f"PROBE_{k.upper()}": str(v) for k, v in settings.items()})
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [*prefix, "kore", "-fnr", "-c", "probe.conf"], cwd=self.folder, env=env,
            stdout=self.log, stderr=subprocess.STDOUT)
        self._wait()

    def _wait(self):
        for _ in range(100):
            try:
                self.get("/health")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError(self.text())

    def text(self):
        return (self.folder / "log").read_text()

    def connect(self, **more):
        return Raw(self.url, self.ca, **more)

    def get(self, target):
        with self.connect() as raw:
            return raw.send(request("GET", target)).answer()

    def workers(self):
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(p) for p in pathlib.Path(path).read_text().split()]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.log.close()
        return self.process.returncode
