"""Answers of unknown length: whole, in constant memory, or seen to be cut."""

import os
import pathlib
import signal
import time

import pytest

import edge_probe
from raw import Closed, request
from support.service import free_port

pytestmark = pytest.mark.skipif(
    not edge_probe.available(), reason="edge_probe.so or kore is not there")


@pytest.fixture
def start(tmp_path):
    probes = []

    def make(**settings):
        folder = tmp_path / str(len(probes))
        folder.mkdir()
        probes.append(edge_probe.Probe(folder, free_port(), **settings))
        return probes[-1]

    yield make
    for probe in probes:
        probe.stop()


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    probe = edge_probe.Probe(tmp_path_factory.mktemp("pour"), free_port())
    yield probe
    probe.stop()


def letters(n):
    pieces, left = [], n
    while left > 0:
        piece = min(left, 65536)
        pieces.append(bytes(97 + (left - i) % 26 for i in range(piece)))
        left -= piece
    return b"".join(pieces)


def old(target, *fields):
    return request("GET", target, *fields).replace(b"HTTP/1.1", b"HTTP/1.0")


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 3_000_000])
def test_whole_and_the_connection_stays(probe, size):
    with probe.connect() as raw:
        for _ in range(2):
            answer = raw.send(request("GET", f"/pour?{size}")).answer()
            assert answer.status == 200 and answer.body == letters(size)
        assert raw.send(request("GET", "/empty")).answer().body == b"{}"


def test_head_has_no_body(probe):
    with probe.connect() as raw:
        answer = raw.send(request("HEAD", "/pour?300000")).answer(head_only=True)
        assert answer.headers["transfer-encoding"] == "chunked"
        assert raw.send(request("GET", "/empty")).answer().body == b"{}"


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",)])
def test_http_1_0_reads_until_the_close(probe, fields):
    with probe.connect() as raw:
        raw.send(old("/pour?200000", *fields))
        status, _, headers = raw._head()
        assert status == 200 and headers["connection"] == "close"
        assert not {"transfer-encoding", "content-length"} & set(headers)
        got = bytes(raw.buffer)
        raw.sock.suppress_ragged_eofs = False
        while piece := raw.sock.recv(65536):  # until close_notify
            got += piece
        assert got == letters(200000)


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_a_cut_is_seen(probe, size):
    with probe.connect() as raw:
        raw.send(request("GET", f"/cut?{size}"))
        with pytest.raises((Closed, OSError)):
            raw.answer()
    # 1.0 has only TLS to tell by: no close_notify.
    with probe.connect() as raw:
        raw.send(old(f"/cut?{size}"))
        raw.sock.suppress_ragged_eofs = False
        with pytest.raises(OSError):
            while raw.sock.recv(65536):
                pass


def test_pieces_leave_as_they_come(probe):
    with probe.connect() as raw:
        raw.send(request("GET", "/drip?150"))
        raw._head()
        chunks = raw.chunks()
        assert next(chunks) == b"drip"
        # Nothing else can have been written in the first of ten turns.
        assert not raw.buffer
        assert b"".join(chunks) == b"drip" * 9


def count(probe, what):
    return int(probe.get(f"/{what}").body)


def test_a_reader_that_pauses_is_not_read_ahead_of(start):
    """What is made is what fits into the socket and a few pieces more."""
    probe = start()
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", "/pour?100000000"))
        before = -1
        while (now := count(probe, "pulls")) != before:
            before = now
            time.sleep(0.3)
        assert now < 200  # of 1,526: 13 MB, most of it the kernel's
        raw.sock.close()
    for _ in range(50):
        if count(probe, "gone") == 1:
            break
        time.sleep(0.1)
    assert count(probe, "gone") == 1


def resident(probe):
    text = pathlib.Path(f"/proc/{probe.workers()[0]}/statm").read_text()
    return int(text.split()[1]) * 4096


def test_100_megabytes_in_constant_memory(start):
    probe = start()
    probe.get("/pour?1000000")
    before, peak, got = resident(probe), 0, 0
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", "/pour?100000000"))
        raw._head()
        for i, piece in enumerate(raw.chunks()):
            got += len(piece)
            if i % 100 == 0:
                peak = max(peak, resident(probe))
    assert got == 100_000_000
    assert peak - before < 2 << 20


def test_a_slow_reader_outlives_the_time_limit_and_a_dead_one_does_not(start):
    probe = start(body_timeout=1)
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", "/pour?20000000"))
        raw._head()
        got = 0
        for i, piece in enumerate(raw.chunks()):
            got += len(piece)
            if i % 60 == 0:
                time.sleep(0.5)
        assert got == 20_000_000
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", "/pour?40000000"))
        time.sleep(2.5)
        with pytest.raises((Closed, OSError)):
            raw.answer()
    assert count(probe, "gone") == 1


def test_a_handler_may_take_longer_than_the_time_limit(start):
    probe = start(body_timeout=1)
    with probe.connect() as raw:
        raw.send(request("GET", "/drip?300"))  # 3 s in all
        assert raw.answer().body == b"drip" * 10


def test_what_comes_while_pouring_waits(probe):
    with probe.connect() as raw:
        raw.send(request("GET", "/drip?20"))
        time.sleep(0.05)
        raw.send(request("GET", "/empty"))
        assert raw.answer().body == b"drip" * 10
        assert raw.answer().body == b"{}"


def test_stop_lets_it_end_and_cuts_what_does_not(start):
    probe = start()
    with probe.connect() as raw:
        raw.send(request("GET", "/drip?100"))
        time.sleep(0.2)
        os.kill(probe.process.pid, signal.SIGTERM)
        assert raw.answer().body == b"drip" * 10
        assert raw.closed()
    probe.process.wait(5)
    assert "drain_cut" not in probe.text()
    probe = start(drain=400)
    with probe.connect() as raw:
        raw.send(request("GET", "/drip?1000"))
        time.sleep(0.1)
        os.kill(probe.process.pid, signal.SIGTERM)
        with pytest.raises((Closed, OSError)):
            raw.answer()
    probe.process.wait(5)
    assert "drain_cut" in probe.text() and "SIGSEGV" not in probe.text()
