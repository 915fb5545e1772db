"""The suite against Penstock: the edge with a handler that tells what it saw,
and the whole service, which must refuse the same."""

import os

import pytest

import edge_probe
from cases import CASES, get
from raw import Raw
from replay import Record, answers, send
from support.service import free_port

TOKEN = b"/api/v1/auth/token"


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    if not edge_probe.available():
        pytest.skip("edge_probe.so or kore is not there")
    probe = edge_probe.Probe(tmp_path_factory.mktemp("suite"), free_port(), record=1)
    yield probe
    probe.stop()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_case(probe, case):
    record = Record(probe)
    with probe.connect(timeout=8) as raw:
        send(raw, case.data)
        assert answers(raw, case.data) == case.answers
    assert record.new() == [*case.seen, *(["refused"] if case.refused else [])]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_case_byte_by_byte(probe, case):
    """Where the segments are cut must not matter."""
    if len(case.data) > 1500:
        pytest.skip("too long to go byte by byte")
    with probe.connect(timeout=8) as raw:
        try:
            for i in range(len(case.data)):
                raw.send(case.data[i:i + 1])
        except OSError:
            pass  # refused before the last byte
        send(raw, b"")
        assert answers(raw, case.data) == case.answers


whole = pytest.mark.skipif(not os.environ.get("PENSTOCK_TEST_WHOLE"),
                           reason="PENSTOCK_TEST_WHOLE is not set")


@whole
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_whole_service(service, case):
    """A POST that the gate lets pass lacks its Content-Type there."""
    data = case.data.replace(b"POST /echo", b"POST " + TOKEN).replace(
        b"/echo", b"/health")
    expected = [{"GET": (200, 422), "POST": (415, 422), "OPTIONS": (204,)}[s.method] for s in case.seen]
    with Raw(service.url, service.ca, timeout=8) as raw:
        send(raw, data)
        got = answers(raw, data)
    assert len(got) == len(case.answers)
    assert all(status in allowed for status, allowed in zip(got, expected))
    if case.refused:
        assert got[-1] == case.refused


@whole
@pytest.mark.parametrize("framing", ["Content-Length: 70000", "Transfer-Encoding: chunked"])
def test_limits_of_routes_hold_before_the_body_comes(service, framing):
    """64 KiB for users, more for readings, of one who may send them."""
    key = f"Authorization: Bearer {service.token('admin')}"
    announced = b"11170\r\n" if "chunked" in framing else b""
    for target, status in (("/api/v1/users", 413), ("/api/v1/readings", 100)):
        with Raw(service.url, service.ca, timeout=8) as raw:
            raw.send(get("", framing, key, "Expect: 100-continue",
                         line=f"POST {target} HTTP/1.1"))
            answer = raw.answer()
            if "chunked" in framing:
                assert answer.status == 100
                raw.send(announced)
                if status == 100:
                    raw.send(b"x" * 70000 + b"\r\n0\r\n\r\n")
                    status = 415
                answer = raw.answer()
            assert answer.status == status
