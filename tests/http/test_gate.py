"""One raw-socket test for each rule of the gate.

Against the service at PENSTOCK_TEST_URL (with PENSTOCK_TEST_CA), else against
the edge alone, if it was built.
"""

import os

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


BAD = (400, "bad-request")
POST = f"POST {TOKEN} HTTP/1.1\r\nHost: localhost\r\n".encode()
OLD_POST = f"POST {TOKEN} HTTP/1.0\r\n".encode()

RULES = {
    "nul in a value": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\0c\r\n\r\n", *BAD),
    "nul in the target": (b"GET /hea\0lth HTTP/1.1\r\nHost: localhost\r\n\r\n", *BAD),
    "bare lf": (b"GET /health HTTP/1.1\nHost: localhost\n\n", *BAD),
    "bare lf between fields": (b"GET /health HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", *BAD),
    "bare cr": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: b\rc\r\n\r\n", *BAD),
    "cr cr lf": (b"GET /health HTTP/1.1\r\r\nHost: localhost\r\n\r\n", *BAD),
    "empty line first": (b"\r\n" + request(), *BAD),
    "folding": (request("GET", "/health", "X-A: b", " c"), *BAD),
    "folding with a tab": (request("GET", "/health", "X-A: b", "\tc"), *BAD),
    "space before colon": (request("GET", "/health", "X-A : b"), *BAD),
    "no colon": (request("GET", "/health", "X-A"), *BAD),
    "no name": (request("GET", "/health", ": b"), *BAD),
    "name not a token": (request("GET", "/health", "X(A): b"), *BAD),
    "control in a value": (request("GET", "/health", "X-A: b\x01c"), *BAD),
    "del in a value": (request("GET", "/health", "X-A: b\x7fc"), *BAD),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", *BAD),
    "two equal lengths": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", *BAD),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", *BAD),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", *BAD),
    "a negative length": (POST + b"Content-Length: -2\r\n\r\n{}", *BAD),
    "a hex length": (POST + b"Content-Length: 0x2\r\n\r\n{}", *BAD),
    "an empty length": (POST + b"Content-Length: \r\n\r\n", *BAD),
    "a length beyond 64 bits": (POST + b"Content-Length: 18446744073709551618\r\n\r\n{}", *BAD),
    "two hosts": (request("GET", "/health", "Host: other"), *BAD),
    "no host": (b"GET /health HTTP/1.1\r\nX-A: b\r\n\r\n", *BAD),
    "a name that begins like host": (b"GET /health HTTP/1.1\r\nHostile: localhost\r\n\r\n", *BAD),
    "an empty host": (request(host=""), *BAD),
    "a host with a path": (request(host="localhost/x"), *BAD),
    "a host with a user": (request(host="me@localhost"), *BAD),
    "bytes beyond the length": (POST + b"Content-Length: 2\r\n\r\n{}x", *BAD),
    "two requests at once": (request() + request(), *BAD),
    "a second request behind a body": (POST + b"Content-Length: 2\r\n\r\n{}" + request(), *BAD),
    "a body on get": (request("GET", "/health", "Content-Length: 2", body=b"{}"), *BAD),
    "a body on head": (request("GET", "/health", "Content-Length: 1", body=b"x"), *BAD),
    "a body on delete": (request("DELETE", "/health", "Content-Length: 1", body=b"x"), *BAD),
    "a body on options": (request("OPTIONS", "/health", "Content-Length: 1", body=b"x"), *BAD),
    "a body without a length on get": (request() + b"x", *BAD),
    "no target": (b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n", *BAD),
    "no version": (b"GET /health\r\nHost: localhost\r\n\r\n", *BAD),
    "two spaces": (b"GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n", *BAD),
    "a space in the target": (b"GET /he alth HTTP/1.1\r\nHost: localhost\r\n\r\n", *BAD),
    "a method that is no token": (request("G(T"), *BAD),
    "an absolute target": (request("GET", "https://other/health"), *BAD),
    "an authority as target": (request("GET", "localhost:443"), *BAD),
    "a fragment": (request("GET", "/health#x"), *BAD),
    "a raw byte in the target": (request("GET", "/h\xe9alth"), *BAD),
    "an unknown expectation": (POST + b"Expect: fly\r\nContent-Length: 2\r\n\r\n{}", *BAD),
    "not http": (b"\x16\x03\x01 hello\r\n\r\n", *BAD),
    "chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 501, "transfer-encoding"),
    "chunked and a length": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 501, "transfer-encoding"),
    "identity": (POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", 501, "transfer-encoding"),
    "chunked on get": (request("GET", "/health", "Transfer-Encoding: xchunked"), 501, "transfer-encoding"),
    "an old post without a length": (OLD_POST + b"\r\n", 411, "length-required"),
    "a body without a length": (POST + b"\r\n{}", *BAD),
    "too large a body": (POST + b"Content-Length: 99999999999\r\n\r\n", 413, "content-too-large"),
    "a target too long": (request("GET", "/" + "a" * 7000), 414, "uri-too-long"),
    "a target without end": (b"GET /" + b"a" * 9000, 414, "uri-too-long"),
    "too many fields": (request("GET", "/health", *[f"X-{i}: y" for i in range(100)]), 431, "header-fields-too-large"),
    "too many bytes": (request("GET", "/health", "X-A: " + "b" * HEADER_MAX), 431, "header-fields-too-large"),
    "fields without end": (b"GET /health HTTP/1.1\r\nX-A: " + b"b" * 9000, 431, "header-fields-too-large"),
    "an unknown method": (request("BREW"), 405, "method-not-allowed"),
    "trace": (request("TRACE"), 405, "method-not-allowed"),
    "connect": (request("CONNECT"), 405, "method-not-allowed"),
    "a method in small letters": (request("get"), 405, "method-not-allowed"),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http-version"),
    "http/1.2": (b"GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n", 505, "http-version"),
    "http/0.9": (b"GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n", 505, "http-version"),
    "small http": (b"GET /health http/1.1\r\nHost: localhost\r\n\r\n", *BAD),
}


@pytest.mark.parametrize("rule", RULES)
def test_refused(raw, rule):
    data, status, slug = RULES[rule]
    answer = refused(raw, data, status, slug)
    if status == 405:
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("rule", ["bare lf", "two lengths", "no host", "chunked", "too many fields"])
def test_refused_byte_by_byte(raw, rule):
    """Where the segments are cut must not matter."""
    data, status, slug = RULES[rule]
    try:
        for i in range(len(data)):
            raw.send(data[i:i + 1])
    except OSError:
        pass  # refused before the last byte
    answer = raw.answer()
    assert (answer.status, answer.json()["type"]) == (status, f"/problems/{slug}")


GOOD = {
    "plain": request(),
    "an empty query": request("GET", "/health?"),
    "empty value": request("GET", "/health", "X-A:"),
    "tabs and high bytes in a value": request("GET", "/health", "X-A: \tb\tc\xe9 "),
    "no space after colon": request("GET", "/health", "X-A:b"),
    "many fields": request("GET", "/health", *[f"X-{i}: y" for i in range(40)]),
    "a length of zero": request("GET", "/health", "Content-Length: 0"),
    "an ip6 host": request(host="[::1]:8443"),
    "http/1.0": b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("case", GOOD)
def test_accepted(raw, case):
    answer = raw.send(GOOD[case]).answer()
    assert answer.status == 200, answer
    assert answer.reason == "OK"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["strict-transport-security"]
    assert "GMT" in answer.headers["date"]
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
    raw.send(request("BREW"))
    try:
        raw.send(request())
    except OSError:
        pass
    assert raw.answer().status == 405
    with pytest.raises((Closed, OSError)):
        raw.answer()
