"""penstock-feed against a small stand-in for the API, which can fail.

PENSTOCK_BUILD: the build folder, "build" in the project's root if not set.
"""
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FEED = pathlib.Path(
    os.environ.get("PENSTOCK_BUILD", ROOT / "build")) / "src/cmd/penstock-feed"

pytestmark = pytest.mark.skipif(
    not FEED.exists(), reason=f"{FEED} is not built")


class Api(http.server.ThreadingHTTPServer):
    """Stores readings; answers the faults given first."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.stored = {}
        self.batches = []
        self.sizes = []
        self.items = []
        self.faults = []  # "drop", "reset", or a status
        self.unknown = set()  # nodes whose readings are rejected
        self.there = set()  # paths that GET finds
        self.made = []
        self.connections = 0
        self.calls = 0
        self.retry_after = None
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def store(self, items):
        answer = {"accepted": 0, "duplicates": 0, "rejected": 0, "items": []}
        self.batches.append(len(items))
        for index, item in enumerate(items):
            key = item["node"], item["metric"], item["ts"]
            if item["node"] in self.unknown:
                answer["rejected"] += 1
                answer["items"].append({
                    "index": index, "status": "rejected",
                    "reason": "unknown_series", "detail": item["node"]})
            elif key in self.stored:
                answer["duplicates"] += 1
                answer["items"].append(
                    {"index": index, "status": "duplicate"})
            else:
                answer["accepted"] += 1
                self.stored[key] = item["value"]
                self.items.append(item)
        return answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        self.server.connections += 1

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.server.retry_after is not None and status == 503:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        if self.headers["Authorization"] != "Bearer token":
            self.answer(401, {"detail": "no token"})
        elif path in self.server.there:
            self.answer(200, {})
        else:
            self.answer(404, {"detail": "nothing"})

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.calls += 1
        if self.path != "/api/v1/readings":
            assert self.headers["Authorization"] == "Bearer token"
            body = json.loads(body)
            server.made.append((self.path, body))
            return self.answer(201, {})
        if self.headers["Authorization"] != "Bearer pk_key":
            return self.answer(401, {"detail": "no such key"})
        server.sizes.append(len(body))
        items = json.loads(body, parse_float=str, parse_int=str)["readings"]
        fault = server.faults.pop(0) if server.faults else None
        if fault == "reset":  # stored, but the answer is lost
            server.store(items)
        if fault in ("drop", "reset"):
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            self.wfile = open(os.devnull, "wb")
            return None
        if isinstance(fault, int):
            return self.answer(fault, {"detail": "fault"})
        return self.answer(200, server.store(items))


@pytest.fixture
def api():
    server = Api()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def feed(api, tmp_path):
    (tmp_path / "key").write_text("pk_key\n")
    (tmp_path / "token").write_text("token\n")

    def run(text, *options, name="data.csv"):
        (tmp_path / name).write_bytes(
            text if isinstance(text, bytes) else text.encode())
        return subprocess.run(
            [FEED, tmp_path / name, "--url", api.url,
             "--key-file", tmp_path / "key", *options],
            capture_output=True, text=True, timeout=60)
    return run


def figures(run):
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1])
            for line in run.stdout.splitlines()}


LONG = """node,metric,ts,value,unit
A,flow,2026-01-01T00:00:00Z,1.50,L/s
A,flow,2026-01-01T01:00:00Z,,L/s
B,level,2026-01-01T00:00:00Z,-0,
"""


def test_long_form(api, feed):
    run = feed(LONG)
    assert run.returncode == 0, run.stderr
    assert figures(run) == {
        "rows": 3, "cells": 2, "empty": 1, "sent": 2, "accepted": 2,
        "duplicates": 0, "rejected": 0, "retries": 0}
    assert api.items == [
        {"node": "A", "metric": "flow", "ts": "2026-01-01T00:00:00Z",
         "value": "1.50", "unit": "L/s"},
        {"node": "B", "metric": "level", "ts": "2026-01-01T00:00:00Z",
         "value": "-0"}]


def test_again_gives_only_duplicates(api, feed):
    feed(LONG)
    run = feed(LONG)
    assert run.returncode == 0
    assert figures(run)["duplicates"] == 2
    assert figures(run)["accepted"] == 0


@pytest.mark.parametrize("cell, sent", [
    ("0.1", "0.1"), ("+3", "3"), (".5", "0.5"), ("-.5", "-0.5"), ("5.", "5"),
    ("007", "7"), ("00.50", "0.50"), ("1e3", "1e3"), ("1E-03", "1E-03"),
    ("0", "0"), ("12345678901234567890.123456789",
                 "12345678901234567890.123456789"),
    ("1,5", None), ("nan", None), ("NA", None), ("0x10", None), ("1e", None),
    (".", None), ("-", None), ("1 2", None), ("--1", None), ("1" * 200, None),
])
def test_numbers_digit_for_digit(api, feed, cell, sent):
    run = feed(f'node,metric,ts,value\nA,flow,2026-01-01T00:00:00Z,"{cell}"\n')
    if sent is None:
        assert run.returncode == 1
        assert figures(run)["rejected not_a_number"] == 1
        assert not api.items
    else:
        assert run.returncode == 0, run.stderr
        assert api.items[0]["value"] == sent


WIDE = (b"\xef\xbb\xbfDATETIME,T1,P1,X\r\n04/07/16 00,2.5,NA,9\r\n"
        b"04/07/16 01,,3,9\r\n\r\n31/02/16 00,1,2,9\r\n")


def test_wide_form_with_a_map(api, feed, tmp_path):
    (tmp_path / "map").write_text(
        "column,node,metric,unit\nT1,TANK-1,level,m\nP1,J-1,pressure,\n")
    run = feed(WIDE, "--map", tmp_path / "map", "--time-column", "DATETIME",
               "--time-format", "%d/%m/%y %H", "--missing", "NA")
    assert run.returncode == 1  # 31 February
    assert figures(run)["rejected bad_timestamp"] == 2
    assert figures(run)["empty"] == 2
    assert "line 5" in run.stderr
    assert api.items == [
        {"node": "TANK-1", "metric": "level", "unit": "m", "value": "2.5",
         "ts": "2016-07-04T00:00:00Z"},
        {"node": "J-1", "metric": "pressure", "value": "3",
         "ts": "2016-07-04T01:00:00Z"}]


def test_wide_form_with_a_template(api, feed):
    run = feed('t;a;b\n2026-01-01T00:00:00Z;1,5;"2"\n', "--wide",
               "X-{column}", "--metric", "flow", "--unit", "L/s",
               "--delimiter", ";", "--decimal", ",")
    assert run.returncode == 0, run.stderr
    assert [(i["node"], i["value"], i["unit"]) for i in api.items] == [
        ("X-a", "1.5", "L/s"), ("X-b", "2", "L/s")]


@pytest.mark.parametrize("text, options, word", [
    ("", (), "is empty"),
    ("a,b\n1,2\n", (), "no column \"node\""),
    ("node,metric,ts,value,more\n", (), "nothing else"),
    ("node,metric,ts,value\nA,flow,x\n", (), "line 2: 3 cells"),
    ('node,metric,ts,value\n"A,flow\n', (), "quote is not closed"),
    ('node,metric,ts,value\n"A"b,flow,x,1\n', (), "behind a closing quote"),
    ("t,a\n1,2\n", ("--wide", "x", "--metric", "flow"), "{column}"),
    ("t,a\n1,2\n", ("--wide", "{column}"), "--metric"),
    ("t,a,a\n1,2,2\n", ("--wide", "{column}", "--metric", "flow"), "twice"),
    ("t,a\n1,2\n", ("--map", "/nonexistent"), "/nonexistent"),
    ("t,a\n1,2\n", ("--map", "/dev/null"), "/dev/null: is empty"),
    (LONG, ("--batch", "5001"), "5000"),
    (LONG, ("--create-nodes", "tank"), "--token-file"),
])
def test_refused_with_a_reason(api, feed, text, options, word):
    run = feed(text, *options)
    assert run.returncode in (1, 2)
    assert word in run.stderr
    assert not api.items


def many(n, node="A"):
    return "node,metric,ts,value\n" + "".join(
        f"{node},flow,2026-01-01T{i // 3600:02}:{i // 60 % 60:02}:"
        f"{i % 60:02}Z,{i}\n" for i in range(n))


def test_batches_over_one_connection(api, feed):
    run = feed(many(12000))
    assert run.returncode == 0, run.stderr
    assert api.batches == [5000, 5000, 2000]
    assert api.connections == 1
    assert len(api.stored) == 12000


def test_a_batch_never_exceeds_two_mebibytes(api, feed):
    quotes = '"' + '""' * 120 + '"'  # 120 quotes, 240 bytes in JSON
    text = many(12000).replace("A,flow", f"{quotes},{quotes}")
    run = feed(text)
    assert run.returncode == 0, run.stderr
    assert len(api.stored) == 12000
    assert max(api.batches) < 5000
    assert 1.9 * 2**20 < max(api.sizes) <= 2 * 2**20


def test_rejections_are_counted_and_named(api, feed):
    api.unknown.add("B")
    run = feed(LONG)
    assert run.returncode == 1
    assert figures(run)["rejected unknown_series"] == 1
    assert figures(run)["accepted"] == 1
    assert "line 4, cell 4: unknown_series: B" in run.stderr
    assert feed(LONG, "--allow-rejects").returncode == 0


@pytest.mark.parametrize("faults", [
    [503], [503, 503, 429], ["drop"], ["reset"], [502, "drop", 504]])
def test_faults_that_pass(api, feed, faults):
    api.faults = list(faults)
    run = feed(many(100))
    assert run.returncode == 0, run.stderr
    assert len(api.stored) == 100
    # libcurl itself repeats a request whose kept connection was gone.
    assert figures(run)["retries"] >= len(faults) - 1
    assert figures(run)["sent"] == 100
    if "reset" in faults:
        assert figures(run)["duplicates"] == 100


def test_retry_after_is_honoured(api, feed):
    api.faults, api.retry_after = [503], "1"
    started = time.monotonic()
    assert feed(many(3)).returncode == 0
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("fault", [400, 403, 413, 500])
def test_faults_that_stay_end_it(api, feed, fault):
    api.faults = [fault]
    run = feed(many(100))
    assert run.returncode == 1
    assert str(fault) in run.stderr
    assert not api.stored


def test_nobody_there(api, feed):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        run = feed(LONG, "--url", url, "--patience", "1")
    assert run.returncode == 1
    assert "given up" in run.stderr


@pytest.fixture
def certificate(tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.pem"],
        check=True, capture_output=True)
    return tmp_path / "tls.pem", tmp_path / "tls.key"


def test_the_certificate_is_checked(api, feed, certificate, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    api.socket = context.wrap_socket(api.socket, server_side=True)
    url = f"https://127.0.0.1:{api.server_address[1]}"
    for options in ((), ("--ca", tmp_path / "missing")):
        started = time.monotonic()
        run = feed(LONG, "--url", url, *options)
        assert run.returncode == 1
        assert "certificate" in run.stderr
        assert time.monotonic() - started < 5  # trying again is no use
    assert not api.items
    wrong_name = feed(LONG, "--url", url.replace("127.0.0.1", "localhost"),
                      "--ca", certificate[0])
    assert wrong_name.returncode == 1
    assert not api.items
    run = feed(LONG, "--url", url, "--ca", certificate[0])
    assert run.returncode == 0, run.stderr
    assert len(api.items) == 2


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://[bad", ""])
def test_an_address_of_no_use_is_told_at_once(api, feed, url):
    started = time.monotonic()
    run = feed(LONG, "--url", url)
    assert run.returncode == 1
    assert run.stderr
    assert time.monotonic() - started < 5


def test_an_answer_that_does_not_add_up(api, feed, monkeypatch):
    monkeypatch.setattr(
        api, "store", lambda items: {"accepted": 1, "duplicates": 0,
                                     "rejected": 0, "items": []})
    run = feed(many(3))
    assert run.returncode == 1
    assert "does not account" in run.stderr


def test_nodes_are_created(api, feed, tmp_path):
    api.there = {"/api/v1/nodes/B", "/api/v1/series/B/level"}
    run = feed(LONG, "--create-nodes", "meter", "--token-file",
               tmp_path / "token")
    assert run.returncode == 0, run.stderr
    assert api.made == [
        ("/api/v1/nodes", {"code": "A", "type": "meter"}),
        ("/api/v1/series", {"node": "A", "metric": "flow", "unit": "L/s"})]
    assert figures(run)["nodes made"] == 1
    assert figures(run)["series made"] == 1


def test_a_signal_ends_it_soon(api, feed, tmp_path):
    api.faults = [503] * 1000
    (tmp_path / "data.csv").write_text(LONG)
    process = subprocess.Popen(
        [FEED, tmp_path / "data.csv", "--url", api.url, "--key-file",
         tmp_path / "key"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while api.calls == 0:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=2)
    assert process.returncode == 1
