"""Mosquitto as an MQTT broker of a test's own, on the loopback interface."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

from support.service import free_port, wait_for


def certificate(folder, name):
    """PEM files of a certificate of 127.0.0.1 that vouches for itself."""
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         f"/CN={name}", "-addext", "subjectAltName=" + (
             "IP:127.0.0.1" if name == "good" else "DNS:elsewhere.example"),
         "-keyout", paths[1], "-out", paths[0]],
        check=True, capture_output=True)
    return paths


def password_file(folder, user, password):
    path = folder / "words"
    subprocess.run(["mosquitto_passwd", "-c", "-b", path, user, password],
                   check=True, capture_output=True)
    return path


class Broker:
    """Keeps its sessions in a file, so that it may be killed and started."""

    def __init__(self, *lines, certificate=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-mqtt."))
        self.port = free_port()
        self.url = f"mqtt{'s' if certificate else ''}://127.0.0.1:{self.port}"
        if certificate:
            lines += tuple(f"{k} {v}" for k, v in zip(
                ("certfile", "keyfile"), certificate))
        user = pwd.getpwuid(os.getuid()).pw_name
        self.settings = self.folder / "mosquitto.conf"
        self.settings.write_text("\n".join((
            f"user {user}", "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_interval 1", "autosave_on_changes true",
            "max_inflight_messages 0", "max_queued_messages 0",
            f"listener {self.port} 127.0.0.1", *lines,
            *(() if any(s.startswith("password_file") for s in lines)
              else ("allow_anonymous true",)), "")))
        self.process = None
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/mosquitto", "-c", self.settings], stdout=log,
                stderr=log)
        wait_for("the broker listens", self._listens)

    def _listens(self):
        assert self.process.poll() is None, self.log()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def publish(self, topic, payload, *options):
        """By QoS 1: returns when the broker has it."""
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port),
             "-V", "mqttv5", "-q", "1", "-t", topic, *options,
             *(["-s"] if isinstance(payload, bytes) else ["-m", payload])],
            input=payload if isinstance(payload, bytes) else None,
            check=True, timeout=20)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def remove(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
