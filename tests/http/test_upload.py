"""A body is taken only of whom it is known that he may send it."""

import json

import pytest

from raw import Raw, request

PATH = "/api/v1/readings"
MIB = 1 << 20
BODY = json.dumps({"readings": []}).encode()


@pytest.fixture
def raw(service):
    with Raw(service.url, service.ca) as raw:
        yield raw


def head(*fields, length=MIB, path=PATH):
    return request("POST", path, "Content-Type: application/json",
                   f"Content-Length: {length}", *fields)


def bearer(secret):
    return f"Authorization: Bearer {secret}"


@pytest.mark.parametrize("fields, status", [
    ((), 401), (("Authorization: Bearer nonsense",), 401),
    (("Authorization: Bearer psk_aaaaaaaaaaaaaaaa_bbbb",), 401),
    (("Expect: 100-continue",), 401)])
def test_strangers_hear_it_before_they_send(raw, fields, status):
    answer = raw.send(head(*fields)).answer()
    assert answer.status == status, answer
    assert answer.headers["connection"] == "close"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert raw.closed()


def test_strangers_that_send_all_the_same_are_cut_off(raw):
    raw.send(head() + b"x" * 10000)
    answer = raw.answer()
    assert answer.status == 401 and answer.headers["connection"] == "close"
    assert raw.closed()


def test_strangers_with_a_body_by_chunks(raw):
    raw.send(request("POST", PATH, "Transfer-Encoding: chunked") + b"5\r\nab")
    assert raw.answer().status == 401
    assert raw.closed()


def test_roles_are_looked_at_first(raw, service):
    answer = raw.send(head(bearer(service.token("viewer")))).answer()
    assert answer.status == 403 and raw.closed()


def test_what_came_whole_leaves_the_connection_open(raw):
    for _ in range(3):
        answer = raw.send(head(length=len(BODY)) + BODY).answer()
        assert answer.status == 401 and "connection" not in answer.headers


def test_a_key_opens_the_way_and_100_says_so(raw, service):
    key = bearer(service.device_key)
    raw.send(head(key, "Expect: 100-continue", length=len(BODY)))
    assert raw.answer().status == 100
    assert raw.send(BODY).answer().status == 200
    # The same in two pieces, in chunks, and what is pipelined behind.
    raw.send(head(key, length=len(BODY)) + BODY[:5])
    raw.send(BODY[5:] + request())
    assert [raw.answer().status for _ in range(2)] == [200, 200]
    raw.send(request("POST", PATH, key, "Content-Type: application/json",
                     "Transfer-Encoding: chunked"))
    raw.send(b"%x\r\n" % len(BODY) + BODY[:4])
    raw.send(BODY[4:] + b"\r\n0\r\n\r\n" + request())
    assert [raw.answer().status for _ in range(2)] == [200, 200]


def test_a_large_body_is_taken_whole(raw, service):
    body = b'{"readings": [' + b" " * MIB + b"]}"
    raw.send(head(bearer(service.device_key), length=len(body)))
    for at in range(0, len(body), 300000):
        raw.send(body[at:at + 300000])
    assert raw.answer().status == 200
    assert raw.send(request()).answer().status == 200
