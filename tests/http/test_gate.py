"""What the gate answers, and how it keeps a connection.

Against the service at PENSTOCK_TEST_URL (with PENSTOCK_TEST_CA), else against
the edge alone, if it was built.
"""

import os
from email.utils import parsedate_to_datetime

import pytest

import edge_probe
from support.service import free_port
from raw import Closed, Raw, request

TOKEN = "/api/v1/auth/token"
HEADER_MAX = 8192


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    url = os.environ.get("PENSTOCK_TEST_URL")
    if url:
        yield url, os.environ["PENSTOCK_TEST_CA"]
        return
    if not edge_probe.available():
        pytest.skip("PENSTOCK_TEST_URL is not set and edge_probe.so not built")
    probe = edge_probe.Probe(tmp_path_factory.mktemp("gate"), free_port())
    yield probe.url, probe.ca
    probe.stop()


@pytest.fixture
def raw(place):
    with Raw(*place) as raw:
        yield raw


def refused(raw, data, status, slug):
    answer = raw.send(data).answer()
    assert (answer.status, answer.json()["type"]) == (
        status, f"/problems/{slug}"), answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    problem = answer.json()
    assert problem["status"] == status and problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert raw.closed()
    return answer


POST = f"POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\n".encode()

REFUSED = {
    "bare lf": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400, "bad-request"),
    "an old post without a length": (
        f"POST {TOKEN} HTTP/1.0\r\n\r\n".encode(), 411, "length-required"),
    "too large a body": (POST + b"Content-Length: 99999999999\r\n\r\n", 413, "content-too-large"),
    "a target too long": (request("GET", "/" + "a" * 7000), 414, "uri-too-long"),
    "an unknown expectation": (
        POST + b"Expect: fly\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation-failed"),
    "too many bytes": (
        request("GET", "/health", "X-A: " + "b" * HEADER_MAX), 431, "header-fields-too-large"),
    "trace": (request("TRACE"), 405, "method-not-allowed"),
    "an unknown method": (request("BREW"), 501, "method-not-implemented"),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "transfer-encoding"),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http-version"),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_refusals_are_problems(raw, rule):
    """One of each kind; the rules themselves are in conformance/."""
    data, status, slug = REFUSED[rule]
    answer = refused(raw, data, status, slug)
    assert ("allow" in answer.headers) == (status == 405)


def test_answers_say_what_they_must(raw):
    answer = raw.send(request()).answer()
    assert (answer.status, answer.reason) == (200, "OK")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["strict-transport-security"]
    assert answer.headers["cache-control"] == "no-store"
    assert parsedate_to_datetime(answer.headers["date"])
    assert "server" not in answer.headers


def test_no_length_means_no_body(raw):
    answer = raw.send(POST + b"\r\n").answer()
    assert answer.status != 411 and "connection" not in answer.headers
    assert raw.send(request()).answer().status == 200


def test_accepted_byte_by_byte(raw):
    for byte in request():
        raw.send(bytes([byte]))
    assert raw.answer().status == 200


def test_keeps_alive_and_answers_in_order(raw):
    for i in range(20):
        raw.send(request("GET", "/health", f"X-Request-Id: id-{i}"))
    assert [raw.answer().headers["x-request-id"] for _ in range(20)] == [
        f"id-{i}" for i in range(20)]


def test_request_id_is_ours_unless_it_is_good(raw):
    for bad in ("", "a" * 37, "a b", "a\"b", "\xe9"):
        given = raw.send(request("GET", "/health", f"X-Request-Id: {bad}")).answer()
        made = given.headers["x-request-id"]
        assert len(made) == 32 and int(made, 16) >= 0
    good = "A-z_0.9" + "x" * 29
    answer = raw.send(request("GET", "/health", f"X-Request-Id: {good}")).answer()
    assert answer.headers["x-request-id"] == good


def test_connection_close_is_obeyed(raw):
    answer = raw.send(request("GET", "/health", "Connection: x, Close")).answer()
    assert answer.headers["connection"] == "close"
    assert raw.closed()


def test_http_1_0_closes_unless_asked(place):
    old = b"GET /health HTTP/1.0\r\n"
    with Raw(*place) as raw:
        assert raw.send(old + b"\r\n").answer().status == 200
        assert raw.closed()
    with Raw(*place) as raw:
        for _ in range(2):
            answer = raw.send(old + b"Connection: keep-alive\r\n\r\n").answer()
            assert answer.headers["connection"] == "keep-alive"
            assert answer.headers["keep-alive"].startswith("timeout=")


def test_head_has_length_and_no_body(raw):
    length = len(raw.send(request()).answer().body)
    answer = raw.send(request("HEAD")).answer(head_only=True)
    assert answer.status == 200 and length > 0
    assert int(answer.headers["content-length"]) == length
    assert raw.send(request()).answer().status == 200


def test_expect_100_continue(raw):
    raw.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert raw.answer().status == 100
    assert raw.send(b"{}").answer().status != 100


def test_refusal_survives_a_client_that_goes_on_sending(place):
    """A reset would destroy the answer on its way."""
    with Raw(*place) as raw:
        raw.send(POST + b"Content-Length: 99999999\r\n\r\n")
        for _ in range(200):
            raw.send(b"x" * 4096)
        assert raw.answer().status == 413


def test_nothing_is_answered_after_a_refusal(raw):
    raw.send(request("TRACE"))
    try:
        raw.send(request())
    except OSError:
        pass
    assert raw.answer().status == 405
    with pytest.raises((Closed, OSError)):
        raw.answer()
