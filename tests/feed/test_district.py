"""penstock-district against a small stand-in for the API.

PENSTOCK_BUILD: the build folder, "build" in the project's root if not set.
"""
import collections
import datetime
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
DISTRICT = pathlib.Path(os.environ.get(
    "PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-district"

pytestmark = pytest.mark.skipif(
    not DISTRICT.exists(), reason=f"{DISTRICT} is not built")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_one(self):
        api, path = self.server, self.path.removeprefix("/api/v1/")
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        if api.away:
            return self.answer(503, {"detail": "away"})
        if path == "readings":
            assert self.headers["Authorization"] == "Bearer pk_key"
            return self.readings(body["readings"])
        assert self.headers["Authorization"] == "Bearer token"
        if self.command == "GET":
            if path in api.things:
                return self.answer(200, api.things[path])
            return self.answer(404, {"detail": "nothing"})
        if path == "gateways/DEMO-GATEWAY/secret":
            return (self.answer(200, {"secret": api.secret}) if api.secret
                    else self.answer(409, {"detail": "nothing is signed"}))
        api.changes.append((self.command, path))
        if self.command == "POST":
            name = (f"{body['node']}/{body['metric']}" if path == "series"
                    else body["code"])
            api.things[f"{path}/{name}"] = body
            if path == "series":
                api.things[f"series/{name}/thresholds"] = {"thresholds": []}
            return self.answer(201, body)
        assert path in api.things
        api.things[path] = {**api.things[path], **body}
        return self.answer(200, api.things[path])

    do_GET = do_POST = do_PUT = do_PATCH = handle_one

    def readings(self, items):
        for i in items:
            key = i["node"], i["metric"]
            assert "series/" + "/".join(key) in self.server.things
            ts = datetime.datetime.fromisoformat(i["ts"][:-1]).timestamp()
            assert self.server.readings[key].setdefault(
                ts, i["value"]) == i["value"]
        self.answer(200, {"accepted": len(items), "duplicates": 0,
                          "rejected": 0, "items": []})


class Api(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.away = False
        self.secret = None
        self.things = {}
        self.changes = []
        self.readings = collections.defaultdict(dict)
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    def last(self, node, metric):
        values = self.readings[node, metric]
        return values[max(values)] if values else None


@pytest.fixture
def api():
    server = Api()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def district(api, tmp_path):
    (tmp_path / "key").write_text("pk_key\n")
    (tmp_path / "token").write_text("token\n")
    made = []

    def start(*options):
        port = free_port()
        process = subprocess.Popen(
            [DISTRICT, "--url", f"http://127.0.0.1:{api.server_address[1]}",
             "--key-file", tmp_path / "key", "--token-file",
             tmp_path / "token", "--gateway-port", str(port), "--cadence-ms",
             "100", "--burst-after", "never", "--freeze-after", "never",
             "--silence-after", "never", *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        process.url = f"http://127.0.0.1:{port}"
        made.append(process)
        return process
    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
            process.wait()


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come"
        time.sleep(0.02)


def stop(process):
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - started < 2
    assert process.returncode == 0, out
    return out


def things(api, kind):
    return [body for path, body in api.things.items()
            if path.startswith(kind + "/") and not path.endswith("thresholds")]


def test_makes_itself_known_once(api, district):
    first = district()
    until(lambda: len(api.readings) == 30)
    stop(first)
    assert len(things(api, "nodes")) == 12
    assert all(node["simulated"] is True for node in things(api, "nodes"))
    assert {node["zone"] for node in things(api, "nodes")} == {"DEMO"}
    assert len(things(api, "series")) == 30
    assert {s["cadence_s"] for s in things(api, "series")} == {0.1}
    gateway, = things(api, "gateways")
    assert gateway["url"] == first.url
    template, = things(api, "plan-templates")
    assert template["actions"][0]["action"] == "close_valve"
    for link in things(api, "links"):
        moved = link["type"] in ("valve", "pump")
        assert link.get("gateway") == ("DEMO-GATEWAY" if moved else None)
    flow = api.things["series/DEMO-WEST/flow/thresholds"]["thresholds"]
    assert [(t["direction"], t["set_level"]) for t in flow] == [("high", 45)]

    api.changes.clear()
    second = district()
    api.readings.clear()
    until(lambda: len(api.readings) == 30)
    stop(second)
    assert api.changes == [("PATCH", "gateways/DEMO-GATEWAY")]
    assert api.things["gateways/DEMO-GATEWAY"]["url"] == second.url


def test_the_water_answers_the_valve(api, district):
    process = district("--burst-after", "1")

    def flow():
        return api.last("DEMO-WEST", "flow")
    until(lambda: flow() is not None)
    assert flow() < 45
    until(lambda: flow() > 45)
    answer = requests.post(
        process.url + "/commands", timeout=5,
        json={"link": "DEMO-V1", "action": "close_valve", "argument": {}},
        headers={"Idempotency-Key": "1"})
    assert answer.json()["status"] == "executed"
    until(lambda: flow() < 5)
    assert api.last("DEMO-WEST", "opening") == 0
    out = stop(process)
    assert "burst injected" in out
    assert "close_valve DEMO-V1 (key 1): executed" in out


def test_what_is_not_signed_it_refuses(api, district):
    api.secret = "ab" * 32
    process = district()
    until(lambda: api.last("DEMO-WEST", "opening") == 100)
    answer = requests.post(
        process.url + "/commands", timeout=5,
        json={"link": "DEMO-V1", "action": "close_valve", "argument": {}},
        headers={"Idempotency-Key": "1"})
    assert answer.status_code == 401
    time.sleep(0.5)
    assert api.last("DEMO-WEST", "opening") == 100


@pytest.mark.parametrize("command", [
    {"link": "DEMO-PU1", "action": "close_valve"},
    {"link": "DEMO-V1", "action": "explode"}])
def test_what_it_cannot_do_it_refuses(api, district, command):
    process = district()
    until(lambda: api.readings)
    answer = requests.post(process.url + "/commands", json=command,
                           headers={"Idempotency-Key": "1"}, timeout=5)
    assert answer.status_code == 422
    assert answer.json()["status"] == "refused"
    assert api.last("DEMO-WEST", "opening") == 100


def test_faults_by_hand(api, district):
    process = district()
    until(lambda: api.last("DEMO-S2", "pressure") is not None)

    def inject(what, on=True):
        answer = requests.post(process.url + "/inject", timeout=5,
                               json={"what": what, "on": on})
        assert answer.status_code == 200
        state = requests.get(process.url + "/state", timeout=5).json()
        assert state["simulated"] is True
        assert state["faults"][what] is on

    def frozen():
        values = api.readings["DEMO-N1", "pressure"]
        newest = sorted(values)[-5:]
        return len(newest) == 5 and len({values[t] for t in newest}) == 1
    until(lambda: len(api.readings["DEMO-N1", "pressure"]) >= 5)
    assert not frozen()
    inject("frozen")
    until(frozen)
    inject("frozen", False)
    until(lambda: not frozen())

    inject("silence")
    time.sleep(0.5)
    count = len(api.readings["DEMO-S2", "pressure"])
    others = len(api.readings["DEMO-S1", "pressure"])
    time.sleep(0.5)
    assert len(api.readings["DEMO-S2", "pressure"]) == count
    assert len(api.readings["DEMO-S1", "pressure"]) > others
    inject("silence", False)
    until(lambda: len(api.readings["DEMO-S2", "pressure"]) > count)


def test_nothing_is_lost_while_the_service_is_away(api, district):
    process = district()
    until(lambda: api.readings)
    api.away = True
    time.sleep(1.5)
    state = requests.get(process.url + "/state", timeout=5).json()
    assert state["waiting"] >= 30 * 10
    api.away = False
    until(lambda: requests.get(
        process.url + "/state", timeout=5).json()["waiting"] < 60)
    out = stop(process)
    assert "kept back: 503 away" in out
    assert "taken again" in out
    times = sorted(api.readings["DEMO-J1", "pressure"])
    # A busy machine may miss a beat; none may be missing for long.
    assert max(b - a for a, b in zip(times, times[1:])) < 0.45


def test_waits_for_the_service_and_can_be_stopped(api, district):
    api.away = True
    process = district()
    time.sleep(1)
    assert process.poll() is None
    stop(process)


def test_an_empty_token_file_is_told(api, district, tmp_path):
    (tmp_path / "token").write_text("")
    process = district()
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 1
    assert "empty" in out
