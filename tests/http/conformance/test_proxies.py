"""The suite through HAProxy and nginx. A front may refuse a request, or mend
what it forgives; but what it passes on, Penstock must take for the same: as
many requests, with the same method, target and body. If the two ever
disagreed, the next client's request on that connection would hear of it. And
whom that one is from, the front says and is believed, whatever came before."""

import itertools

import pytest

import edge_probe
from cases import CASES, get
from fronts import FRONTS, available
from replay import Plain, Record, answers, rest, send
from support.service import free_port

CLIENT = "127.0.0.2"  # the front is 127.0.0.1
FORGED = "203.0.113.9"
numbers = itertools.count()


@pytest.fixture(scope="module", params=FRONTS)
def pair(request, tmp_path_factory):
    if not available(request.param):
        pytest.skip(f"{request.param} is not installed")
    if not edge_probe.available():
        pytest.skip("edge_probe.so or kore is not there")
    probe = edge_probe.Probe(tmp_path_factory.mktemp("back"), free_port(),
                             record=1, proxies="127.0.0.1/32")
    front = FRONTS[request.param](tmp_path_factory.mktemp("front"), probe)
    yield front, probe
    front.stop()
    probe.stop()


def follow(front, *fields):
    """Another client's request, on the connection that the case left."""
    target = f"/echo?follow-{next(numbers)}"
    with Plain(front.port, source=CLIENT) as raw:
        raw.send(get(target, *(fields or ("Connection: close",))))
        answer = raw.answer()
    assert answer.status == 200
    assert answer.headers["x-query"] == target.partition("?")[2]
    assert answer.headers["x-peer"] == CLIENT
    return target


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_case(pair, case):
    front, probe = pair
    record = Record(probe)
    with Plain(front.port) as raw:
        send(raw, case.data)
        rest(raw)
    passed, seen = front.new(follow(front)), record.new()
    assert len(seen) == len(passed)
    for theirs, ours in zip(passed, seen):
        assert ours in ("refused", theirs)
    # Whatever was passed of a case that is no longer what it was sent as was
    # mended by the front, which then stands for it.
    sound = [s for s in seen[:-1] if s != "refused"]
    if not case.refused:
        assert sound == list(case.seen)[:len(sound)]


@pytest.mark.parametrize("fields", [
    (f"X-Forwarded-For: {FORGED}",),
    (f"X-Forwarded-For: {FORGED}", "x-forwarded-for: nobody"),
    (f"X-Forwarded-For: {FORGED}, 127.0.0.1",),
    ("X-Forwarded-For: ,;\"",),
    (f"X_Forwarded_For: {FORGED}",),
    (f"Forwarded: for={FORGED}", f"X-Real-IP: {FORGED}"),
    # As if it were of this hop alone, for the front to drop it.
    ("Connection: close, X-Forwarded-For",),
    ("Connection: X-Forwarded-For", f"X-Forwarded-For: {FORGED}"),
], ids=range(8))
def test_nobody_says_himself_whom_he_is(pair, fields):
    follow(pair[0], *fields)
