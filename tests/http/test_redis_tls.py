"""Redis over TLS as README has it: stunnel beside Redis and beside the
service, each by a unix socket, and no plain byte between them."""

import pathlib
import re
import shutil
import subprocess

import pytest
import redis

from support.instance import Instance
from support.service import ROOT, free_port, wait_for
from test_tls import authority, signed

pytestmark = pytest.mark.skipif(
    not shutil.which("stunnel4"), reason="stunnel4 is not installed")


def from_readme(title):
    """The lines of README below that comment, as they stand there."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^    # {re.escape(title)}\n((?:    .*\n)+)", text, re.M)
    return re.sub(r"^    ", "", found[1], flags=re.M)


class Tunnel:
    """Both ends, made from README's text with this test's places."""

    def __init__(self, service, folder, name="redis.utility.example"):
        self.service, self.folder = service, folder
        self.port, self.near = free_port(), free_port()
        authority(folder, "utility")
        signed(folder, "utility", f"/CN={name}", "redis",
               extension="serverAuth", names=f"DNS:{name}")
        signed(folder, "utility", "/CN=penstock", "penstock")
        sock = pathlib.Path(service.state / "sock").resolve()
        places = {"/etc/stunnel/": f"{folder}/",
                  "/run/redis/redis.sock": f"{sock}/redis.sock",
                  "redis.utility.example:6380": f"127.0.0.1:{self.port}",
                  "accept = 6380": f"accept = 127.0.0.1:{self.port}",
                  "127.0.0.1:6379": f"127.0.0.1:{self.near}"}
        self.processes = [self.start(title, places) for title in (
            "beside Redis", "beside Penstock")]

    def start(self, title, places):
        text = from_readme(title)
        for old, new in places.items():
            text = text.replace(old, new)
        config = self.folder / (title.split()[-1] + ".conf")
        config.write_text("foreground = yes\npid =\nsyslog = no\n"
                          "debug = 6\n" + text)
        with (self.folder / (title.split()[-1] + ".log")).open("w") as log:
            return subprocess.Popen(["stunnel4", config], stdout=log,
                                    stderr=log, stdin=subprocess.DEVNULL)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def ping(self):
        try:
            with redis.Redis(port=self.near, socket_timeout=5) as r:
                return r.ping()
        except redis.RedisError:
            return False

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait(10)


@pytest.fixture
def tunnel(service, tmp_path):
    made = []

    def make(**arguments):
        made.append(Tunnel(service, tmp_path, **arguments))
        return made[-1]

    yield make
    for t in made:
        t.stop()


def test_an_instance_whose_redis_is_behind_tls(service, tunnel):
    at = tunnel()
    wait_for("the tunnel", at.ping)
    service.make_series("STUNNEL-1", "flow")
    other = Instance(service, "kore-tls", PENSTOCK_REDIS_SOCKET="",
                     PENSTOCK_REDIS_PORT=at.near).start()
    try:
        with service.session("engineer") as s:
            for value in range(5):
                assert s.post(other.url + "/api/v1/readings", timeout=20, json={
                    "node": "STUNNEL-1", "metric": "flow", "value": value,
                    "ts": f"2024-05-01T00:00:0{value}Z"}).status_code == 200

            def hot():
                answer = s.get(other.url + "/api/v1/nodes/STUNNEL-1/latest",
                               timeout=20).json()["items"][0]
                return answer["value"] == 4 and answer["source"] == "hot"

            wait_for("it from Redis", hot)
        assert "TLS connected" in at.log("Penstock")
    finally:
        other.stop()


def test_a_redis_of_another_name_is_not_spoken_to(tunnel):
    at = tunnel(name="redis.other.example")
    wait_for("its refusal", lambda: not at.ping()
             and "CERT: Subject checks failed" in at.log("Penstock"))


def test_who_has_no_certificate_is_not_let_in(tunnel):
    at = tunnel()
    wait_for("the tunnel", at.ping)
    asked = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{at.port}", "-quiet",
         "-CAfile", at.folder / "utility.pem"], input=b"PING\r\n",
        capture_output=True, timeout=20)
    assert b"PONG" not in asked.stdout
    wait_for("its refusal", lambda: "peer did not return a certificate"
             in at.log("Redis"))
