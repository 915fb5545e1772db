"""100,000 mutated requests: every worker stays alive, memory stays flat, and
those who ask properly are served meanwhile. The seed is printed; the same one
sends the same bytes (PENSTOCK_STORM_SEED, PENSTOCK_STORM_COUNT)."""

import gzip
import json
import os
import pathlib
import secrets
import subprocess
import threading
import time

import pytest

import edge_probe
from cases import CASES
from raw import Raw, request
from support.service import free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
STORM = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build")) / "tests/storm/storm"
COUNT = int(os.environ.get("PENSTOCK_STORM_COUNT", 100_000))
SENDERS = 4

pytestmark = pytest.mark.skipif(not STORM.exists(), reason="storm is not built")


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def write(path, requests):
    with open(path, "wb") as file:
        for data in requests:
            file.write(len(data).to_bytes(4, "little") + data)


def storm(port, path, seed, count):
    """What came of them, summed over the senders."""
    senders = [subprocess.Popen([STORM, str(port), str(seed + i), str(count // SENDERS), path],
                                stdout=subprocess.PIPE) for i in range(SENDERS)]
    total = {}
    for sender in senders:
        for key, n in json.loads(sender.communicate()[0]).items():
            total[key] = total.get(key, 0) + n
    return total


class Guest(threading.Thread):
    """Asks properly all the while, on a connection that stays and on new
    ones."""

    def __init__(self, url, ca):
        super().__init__()
        self.url, self.ca, self.over, self.statuses = url, ca, False, []

    def run(self):
        with Raw(self.url, self.ca) as staying:
            while not self.over:
                with Raw(self.url, self.ca) as fresh:
                    for raw in (staying, fresh):
                        self.statuses.append(raw.send(request()).answer().status)
                time.sleep(0.05)


def weather(url, ca, port, path, workers, count):
    seed = int(os.environ.get("PENSTOCK_STORM_SEED", secrets.randbelow(1 << 30)))
    print(f"PENSTOCK_STORM_SEED={seed}")
    pids = workers()
    storm(port, path, seed, 8000)  # buffers and pools grow to their size
    before = [resident(pid) for pid in pids]
    guest = Guest(url, ca)
    guest.start()
    total = storm(port, path, seed + SENDERS, count)
    guest.over = True
    guest.join()
    print(total)
    assert workers() == pids
    grown = [resident(pid) - was for pid, was in zip(pids, before)]
    assert max(grown) < 8 << 20, grown
    assert len(guest.statuses) > 10 and set(guest.statuses) == {200}
    assert total["failed"] == total["hung"] == 0
    assert total["sent"] == count // SENDERS * SENDERS
    assert not {"500", "502", "504"} & set(total)


def test_edge(tmp_path):
    if not edge_probe.available():
        pytest.skip("edge_probe.so or kore is not there")
    write(tmp_path / "requests", [case.data for case in CASES if len(case.data) < 20000])
    probe = edge_probe.Probe(tmp_path, free_port(), workers=2)
    try:
        weather(probe.url, probe.ca, probe.port, tmp_path / "requests", probe.workers, COUNT // 5)
    finally:
        assert probe.stop() == 0


def calls(service):
    """What the API is asked for, with credentials that let it in."""
    key = f"Authorization: Bearer {service.device_key}"
    token = f"Authorization: Bearer {service.token('engineer')}"
    readings = json.dumps({"readings": [
        {"node": "STORM", "metric": "flow", "ts": "2024-05-01T00:00:00Z", "value": 1.5,
         "unit": "m3/h"}]}).encode()
    csv = b"node,metric,ts,value\nSTORM,flow,2024-05-01T00:00:00Z,2\n"
    for body, *fields in (
            (readings, "Content-Type: application/json"),
            (csv, "Content-Type: text/csv"),
            (readings[14:-2], "Content-Type: application/x-ndjson"),
            (gzip.compress(csv), "Content-Type: text/csv", "Content-Encoding: gzip")):
        yield request("POST", "/api/v1/readings", key, *fields,
                      f"Content-Length: {len(body)}", body=body)
        yield request("POST", "/api/v1/readings", key, *fields, "Transfer-Encoding: chunked",
                      body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    for target in ("/api/v1/nodes?limit=2", "/api/v1/nodes/STORM/latest", "/api/v1/latest",
                   "/api/v1/readings?node=STORM&metric=flow&bucket=1h&tz=Europe/Rome",
                   "/api/v1/readings?series=STORM/flow&format=csv", "/api/v1/anomalies",
                   "/api/v1/plans?state=proposed", "/openapi.json", "/ready"):
        yield request("GET", target, token, "Accept-Encoding: gzip", "Accept: */*;q=0.5")
    user = json.dumps({"username": "storm", "password": "a storm is coming", "role": "viewer"})
    yield request("POST", "/api/v1/users", token, "Content-Type: application/json",
                  "Idempotency-Key: storm", f"Content-Length: {len(user)}", body=user.encode())


@pytest.mark.skipif(not os.environ.get("PENSTOCK_TEST_WHOLE"),
                    reason="PENSTOCK_TEST_WHOLE is not set")
def test_whole_service(own_service, tmp_path):
    service = own_service(PENSTOCK_CONNECTIONS_PER_ADDRESS=100)
    service.start()
    service.make_series("STORM", "flow")
    write(tmp_path / "requests", list(calls(service)) * 3 + [
        case.data.replace(b"/echo", b"/health") for case in CASES if len(case.data) < 20000])
    weather(service.url, service.ca, service.port, tmp_path / "requests", service.workers,
            COUNT)
