"""The edge alone: order, answers, time limits, TLS, processes, stopping."""

import errno
import itertools
import os
import pathlib
import signal
import socket
import ssl
import threading
import time

import pytest

import edge_probe
from support.service import free_port, wait_for
from raw import Closed, request

pytestmark = pytest.mark.skipif(
    not edge_probe.available(), reason="edge_probe.so or kore is not there")


@pytest.fixture
def start(tmp_path):
    probes = []

    def make(port, **settings):
        folder = tmp_path / str(port)
        folder.mkdir()
        probes.append(edge_probe.Probe(folder, port, **settings))
        return probes[-1]

    yield make
    for probe in probes:
        probe.stop()


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    probe = edge_probe.Probe(tmp_path_factory.mktemp("edge"), free_port())
    yield probe
    probe.stop()


@pytest.fixture
def raw(probe):
    with probe.connect() as raw:
        yield raw


def test_handler_sees_the_request(raw):
    a = raw.send(request("PUT", "/echo?a=1&b=%20", "X-Probe:  \tv w ",
                         "Content-Length: 5", body=b"\0\r\nab")).answer()
    assert a.body == b"\0\r\nab"
    assert [a.headers[f"x-{k}"] for k in ("method", "path", "query", "seen", "peer")] == [
        "PUT", "/echo", "a=1&b=%20", "v w", "127.0.0.1"]
    assert a.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("size", [0, 1, 8000, 16000, 17000, 17300, 17408, 40000, 3 << 20])
def test_bodies_come_back_whole(raw, size):
    body = os.urandom(size)
    for _ in range(2):
        answer = raw.send(request("POST", "/echo", f"Content-Length: {size}") + body).answer()
        assert answer.status == 200 and answer.body == body


def test_body_in_drips(raw):
    raw.send(request("POST", "/echo", "Content-Length: 300"))
    for i in range(300):
        raw.send(bytes([i % 256]))
    assert raw.answer().body == bytes(i % 256 for i in range(300))


def test_what_follows_a_body_is_the_next_request(raw):
    """Also of a body that did not come with its header."""
    raw.send(request("POST", "/echo", "Content-Length: 20000") + b"a" * 19990)
    raw.send(b"a" * 10 + request("GET", "/empty") + b"\r\n\r\n")
    assert raw.answer().body == b"a" * 20000
    assert raw.answer().body == b"{}"
    assert raw.answer().status == 400
    assert raw.closed()


def coded(body, sizes):
    """A body in chunks of these sizes, again and again."""
    pieces, at = [], 0
    for size in itertools.cycle(sizes):
        piece = body[at:at + size]
        if not piece:
            return b"".join(pieces) + b"0\r\n\r\n"
        pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += size


@pytest.mark.parametrize("size", [0, 1, 1000, 17408, 65535, 65536, 65537, 3 << 20])
@pytest.mark.parametrize("sizes", [(1 << 20,), (1, 17, 16384, 3, 5000)])
def test_chunked_bodies_come_back_whole(raw, size, sizes):
    body = os.urandom(size)
    for _ in range(2):
        raw.send(request("POST", "/echo", "Transfer-Encoding: chunked") + coded(body, sizes))
        assert raw.answer().body == body


def test_chunked_body_in_drips(raw):
    raw.send(request("POST", "/echo", "Transfer-Encoding: chunked"))
    for byte in coded(b"abc" * 30, (7,)) + request("GET", "/empty"):
        raw.send(bytes([byte]))
    assert raw.answer().body == b"abc" * 30
    assert raw.answer().body == b"{}"


def test_pipelined_behind_slow_answers_and_bodies(raw):
    """More than one turn of the loop, the answers in order."""
    one = (request("GET", "/slow?1") + request("POST", "/echo", "Content-Length: 3") + b"abc" +
           request("POST", "/echo", "Transfer-Encoding: chunked") + coded(b"x" * 300, (100,)) +
           request("HEAD", "/big?5000") + request("GET", "/pour?70000"))
    raw.send(one * 50)
    for _ in range(50):
        assert raw.answer().body == b'"done"'
        assert raw.answer().body == b"abc"
        assert raw.answer().body == b"x" * 300
        assert raw.answer(head_only=True).headers["content-length"] == "5000"
        assert len(raw.answer().body) == 70000


def half_close(raw):
    """FIN, the TLS connection is left as it is."""
    socket.socket.shutdown(raw.sock, socket.SHUT_WR)


@pytest.mark.parametrize("target,size", [
    ("/slow?300", 6), ("/work?300", 6), ("/drip?20", 40), ("/big?9000000", 9000000)])
def test_half_closed_client_gets_its_answers(raw, target, size):
    raw.send(request("GET", target) + request("GET", "/empty"))
    half_close(raw)
    assert len(raw.answer().body) == size
    assert raw.answer().body == b"{}"
    assert raw.closed()


def test_half_closed_with_close_notify(probe):
    got = b""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(probe).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", probe.port), timeout=5) as sock:
        def step(call, *args):
            while True:
                try:
                    return call(*args)
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    data = sock.recv(65536)
                    incoming.write(data) if data else incoming.write_eof()

        step(tls.do_handshake)
        tls.write(request("GET", "/slow?300"))
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        sock.sendall(outgoing.read())
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            got += data
        incoming.write(got)
        assert b'"done"' in tls.read(65536)


def test_order_is_kept_behind_a_slow_answer(raw):
    raw.send(request("GET", "/slow?300"))
    time.sleep(0.05)
    raw.send(request("POST", "/echo", "Content-Length: 1") + b"x")
    raw.send(request("GET", "/empty"))
    assert [raw.answer().body for _ in range(3)] == [b'"done"', b"x", b"{}"]


def sent_at_once(probe, pieces, answers):
    """All of it in one go, each piece in a TLS record of its own."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(probe).wrap_bio(incoming, outgoing, server_hostname="localhost")
    got = b""
    with socket.create_connection(("127.0.0.1", probe.port), timeout=3) as sock:
        def step(call, *args):
            while True:
                try:
                    return call(*args)
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))

        step(tls.do_handshake)
        for piece in pieces:
            tls.write(piece)
        while got.count(b"HTTP/1.1 ") < answers:
            got += step(tls.read, 65536)
    return got


def test_what_follows_a_body_in_tiny_records_is_not_lost(probe):
    """The body takes more than one turn, and what comes behind it must wait
    until its answer has left."""
    tiny = [b"x"] * 300
    after = [request("GET", "/health", f"X-Request-Id: id-{i}", "X-A: " + "a" * 7000)
             for i in (1, 2)]
    for _ in range(4):
        got = sent_at_once(
            probe, [request("POST", "/slow?100", "Content-Length: 300"), *tiny, *after], 3)
        assert b"id-1" in got and b"id-2" in got


def test_big_answer_to_a_slow_reader(start):
    """40 MB at a reader's pace, over the time limits of a request."""
    probe = start(free_port(), header_timeout=1, body_timeout=2, keepalive=1)
    size = 40_000_000
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", f"/big?{size}"))
        time.sleep(1.6)
        got, pauses = 0, 0
        status, _, headers = raw._head()
        assert status == 200 and int(headers["content-length"]) == size
        got = len(raw.buffer)
        while got < size:
            raw.buffer.clear()
            raw._more()
            got += len(raw.buffer)
            if got > (pauses + 1) * 8_000_000:
                pauses += 1
                time.sleep(0.7)
        assert got == size
        raw.buffer.clear()
        assert raw.send(request()).answer().status == 200


def test_reader_that_stops_is_cut_off(start):
    probe = start(free_port(), body_timeout=1)
    with probe.connect(rcvbuf=65536) as raw:
        raw.send(request("GET", "/big?40000000"))
        time.sleep(2.5)
        with pytest.raises((Closed, OSError)):
            raw.answer()


def test_others_are_served_beside_a_slow_reader(probe):
    with probe.connect(rcvbuf=65536) as slow:
        slow.send(request("GET", "/big?40000000"))
        time.sleep(0.1)
        begin = time.monotonic()
        assert probe.get("/health").status == 200
        assert time.monotonic() - begin < 0.5


def test_head_of_a_big_answer(raw):
    answer = raw.send(request("HEAD", "/big?1000000")).answer(head_only=True)
    assert answer.headers["content-length"] == "1000000"
    assert raw.send(request()).answer().status == 200


STATUSES = """200 OK;201 Created;202 Accepted;400 Bad Request;401 Unauthorized;403 Forbidden;
404 Not Found;405 Method Not Allowed;406 Not Acceptable;408 Request Timeout;409 Conflict;
411 Length Required;412 Precondition Failed;413 Content Too Large;414 URI Too Long;
415 Unsupported Media Type;422 Unprocessable Content;429 Too Many Requests;
431 Request Header Fields Too Large;500 Internal Server Error;501 Not Implemented;
503 Service Unavailable;505 HTTP Version Not Supported"""


def test_reason_phrases(raw):
    for line in STATUSES.replace("\n", "").split(";"):
        status, reason = line.split(" ", 1)
        answer = raw.send(request("GET", f"/status?{status}")).answer()
        assert (answer.status, answer.reason, answer.body) == (int(status), reason, b"{}")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(raw, status):
    answer = raw.send(request("GET", f"/status?{status}")).answer()
    assert answer.status == status and "content-length" not in answer.headers
    assert raw.send(request()).answer().status == 200


def test_client_that_leaves(probe):
    before = int(probe.get("/gone").body)
    for target in ("/slow?400", "/work?400", "/slow?60000"):
        with probe.connect() as raw:
            raw.send(request("GET", target))
            time.sleep(0.1)
    time.sleep(0.8)
    assert int(probe.get("/gone").body) == before + 3


def test_client_that_resets(probe):
    before = int(probe.get("/gone").body)
    raw = probe.connect()
    raw.send(request("GET", "/slow?300"))
    time.sleep(0.1)
    linger = b"\1\0\0\0\0\0\0\0"
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    raw.sock.close()
    time.sleep(0.5)
    assert int(probe.get("/gone").body) == before + 1


def test_threads_do_not_wait_behind_a_long_job(probe):
    with probe.connect() as long:
        long.send(request("GET", "/work?1500"))
        time.sleep(0.05)
        begin = time.monotonic()
        for _ in range(12):  # more than there are threads, one by one
            assert probe.get("/work?1").status == 200
        assert time.monotonic() - begin < 1
        assert long.answer().body == b'"done"'


def test_offload_is_bounded(probe):
    """4 threads and 16 places: 20 are taken, the others hear 503."""
    raws = [probe.connect() for _ in range(26)]
    for raw in raws:
        raw.send(request("GET", "/work?400"))
    statuses = sorted(raw.answer().status for raw in raws)
    for raw in raws:
        raw.sock.close()
    assert statuses == [200] * 20 + [503] * 6


def test_one_job_goes_before_all_that_wait(probe):
    """Whoever fills the queue holds up no cycle of the loop."""
    raws = [probe.connect() for _ in range(24)]
    for raw in raws:
        raw.send(request("GET", "/work?400"))
    time.sleep(0.1)
    begin = time.monotonic()
    assert probe.get("/first?1").status == 200
    assert time.monotonic() - begin < 1
    assert sum(raw.answer().status == 200 for raw in raws) == 20
    for raw in raws:
        raw.sock.close()


def test_sandbox_lets_every_library_work(probe):
    workers = probe.workers()
    with probe.connect(timeout=30) as raw:
        did = raw.send(request("GET", "/libraries")).answer().json()
    assert did == {"names": 1, "refused": 1, "made": 1, "curl": 0, "hashed": 1}
    assert probe.workers() == workers


ENDS = """execve execveat ptrace process_vm_readv process_vm_writev
    memfd_create unlinkat renameat2 linkat symlinkat mkdirat fchmodat fchownat
    ftruncate mount chroot setuid setgid capset unshare setns bpf
    perf_event_open io_uring_setup keyctl init_module kexec_load listen shmget
    open_by_handle_at""".split()


def test_a_forbidden_call_ends_the_worker(start):
    """At once, and the log says by what; the next worker serves."""
    probe = start(free_port(), workers=1)
    for count, name in enumerate(ENDS, 1):
        before = set(probe.workers())
        with pytest.raises(OSError):
            probe.get(f"/forbidden?{name}")
        wait_for(f"a worker after {name}", lambda: probe_serves(probe))
        assert set(probe.workers()) != before
        # Kore's parent; the kernel's own log has the call's number.
        assert probe.text().count("died from sandbox violation") == count


def probe_serves(probe):
    try:
        return probe.get("/health").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("name,said", [
    ("socket", errno.EAFNOSUPPORT), ("clone", errno.EPERM),
    ("clone3", errno.ENOSYS), ("mmap", errno.EINVAL),
    ("mprotect", errno.EINVAL), ("ioctl", errno.EACCES)])
def test_a_call_that_libraries_try_is_refused(probe, name, said):
    workers = probe.workers()
    assert probe.get(f"/forbidden?{name}").body == str(said).encode()
    assert probe.workers() == workers


def test_time_limits(start):
    probe = start(free_port(), header_timeout=1, body_timeout=1, keepalive=1)
    with probe.connect() as idle, probe.connect() as head, probe.connect() as body:
        head.send(b"GET /health HTTP/1.1\r\nHost: local")
        body.send(request("POST", "/echo", "Content-Length: 10") + b"abc")
        used = probe.connect()
        assert used.send(request()).answer().status == 200
        begin = time.monotonic()
        for raw, where in ((head, "header"), (body, "body")):
            answer = raw.answer()
            assert answer.status == 408 and where in answer.json()["detail"]
            assert raw.closed()
        assert idle.closed() and used.closed()
        assert 0.5 < time.monotonic() - begin < 4


def test_drips_do_not_prolong_the_header(start):
    probe = start(free_port(), header_timeout=1)
    with probe.connect() as raw:
        raw.send(b"GET /health HTTP/1.1\r\nX-A: ")
        begin = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begin < 8:
                raw.send(b"a")
                time.sleep(0.1)
            raise AssertionError("never cut")


def test_handshake_that_never_comes(start):
    probe = start(free_port(), header_timeout=1)
    with socket.create_connection(("127.0.0.1", probe.port), timeout=5) as sock:
        begin = time.monotonic()
        assert sock.recv(1) == b""
        assert time.monotonic() - begin < 3
    with socket.create_connection(("127.0.0.1", probe.port), timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while sock.recv(100):  # at most an alert
            pass


def test_announced_bodies_do_not_keep_others_out(probe):
    announced = [probe.connect() for _ in range(40)]
    for raw in announced:
        raw.send(request("POST", "/echo", f"Content-Length: {8 << 20}") + b"x" * 20000)
    with probe.connect() as raw:
        raw.send(request("POST", "/echo", "Content-Length: 300000") + b"y" * 300000)
        assert raw.answer().body == b"y" * 300000
    for raw in announced:
        raw.sock.close()


def test_bodies_that_stall_make_room_for_others(probe):
    """33 that stop behind more than half of 8 MiB take what one worker has
    for all bodies."""
    half, whole = 4 * 2**20 + 65536, 8 * 2**20
    begun = []
    for _ in range(33):
        begun.append(probe.connect())
        begun[-1].send(request(
            "POST", "/", f"Content-Length: {whole}") + b"a" * half)
    time.sleep(2.2)  # what a body may take before it has to yield
    with probe.connect() as raw:
        body = b"b" * 2**20
        answer = raw.send(request(
            "POST", "/", f"Content-Length: {len(body)}") + body).answer()
        assert answer.status == 200, answer
    for raw in begun:
        raw.sock.close()


def test_body_limit(start):
    probe = start(free_port(), body_max=1000)
    with probe.connect() as raw:
        assert raw.send(request("POST", "/echo", "Content-Length: 1000") + b"x" * 1000).answer().status == 200
        answer = raw.send(request("POST", "/echo", "Content-Length: 1001")).answer()
        assert answer.status == 413 and "1000" in answer.json()["detail"]


def test_connection_limit_of_a_lone_worker(start):
    probe = start(free_port(), connections=4)
    raws = [probe.connect() for _ in range(4)]
    with pytest.raises(OSError):
        probe.connect()
    assert raws[0].send(request()).answer().status == 200
    raws.pop().sock.close()
    time.sleep(0.2)
    assert probe.get("/health").status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_silent_connections_make_room_for_new_ones(start, workers):
    probe = start(free_port(), connections=4, workers=workers,
                  header_timeout=60)
    busy = probe.connect().send(request("GET", "/slow?6000"))
    silent = [probe.connect() for _ in range(4 * workers - 1)]
    for raw in silent[::2]:
        raw.send(request()).answer()  # kept alive; the others say nothing

    def served():
        try:
            raw = probe.connect(timeout=1)
            assert raw.send(request()).answer().status == 200
            return raw
        except (OSError, Closed):
            return None
    new = [wait_for("a place", served) for _ in range(3)]
    assert new[-1].send(request()).answer().status == 200
    assert busy.answer().status == 200


def probes_at_once(probe, count):
    """Connections that were served, of so many."""
    held = []
    for _ in range(count):
        try:
            raw = probe.connect(timeout=5)
            raw.send(request()).answer()
            held.append(raw)
        except (OSError, Closed):
            pass
    return held


def test_connections_of_one_address(start):
    probe = start(free_port(), workers=2, address=6)
    held = probes_at_once(probe, 12)
    assert 6 <= len(held) <= 7  # two workers may each take a last one
    for raw in held:
        raw.sock.close()
    time.sleep(0.3)
    again = probes_at_once(probe, 5)
    assert len(again) == 5
    # One that dies takes its counts along.
    for pid in probe.workers():
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    assert 6 <= len(probes_at_once(probe, 12)) <= 7


def alive(raw):
    try:
        return raw.send(request()).answer().status == 200
    except (OSError, Closed):
        return False


def test_a_worker_killed_while_an_address_has_all_it_may(start):
    """The places of the dead are free at once, those of the living stay."""
    probe = start(free_port(), workers=2, address=20)
    held = probes_at_once(probe, 30)
    assert 20 <= len(held) <= 21
    assert probes_at_once(probe, 3) == []
    os.kill(probe.workers()[0], signal.SIGKILL)
    time.sleep(1)
    held = [raw for raw in held if alive(raw)]
    more = probes_at_once(probe, 30)
    assert 20 <= len(held) + len(more) <= 21
    assert all(alive(raw) for raw in held + more)


def test_a_reader_of_drips_is_cut_off(start):
    """Progress alone does not hold a place: 4 s, 4 KiB, or it is over."""
    probe = start(free_port(), body_timeout=4)
    sockets = f"/proc/{probe.workers()[0]}/fd"
    time.sleep(0.3)  # until the one that asked whether it is up is gone
    before = len(os.listdir(sockets))
    with probe.connect(rcvbuf=2304) as raw:
        raw.send(request("GET", "/big?40000000"))
        time.sleep(0.3)
        assert len(os.listdir(sockets)) == before + 1
        for _ in range(100):
            socket.socket.recv(raw.sock, 100)
            time.sleep(0.2)
            if len(os.listdir(sockets)) == before:
                return
    raise AssertionError("it holds its place")


def test_pages_say_what_they_may_load(raw):
    answer = raw.send(request("GET", "/page")).answer()
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "content-security-policy" not in raw.send(request()).answer().headers


def test_too_few_descriptors_are_refused_at_start(tmp_path):
    # Not even root may raise the limit without this capability.
    prefix = ["prlimit", "--nofile=100:100"]
    if os.geteuid() == 0:
        prefix += ["setpriv", "--bounding-set=-sys_resource"]
    with pytest.raises(RuntimeError, match="200 connections .* open files"):
        edge_probe.Probe(tmp_path, free_port(), prefix, connections=200)


def context(probe, version=None):
    made = ssl.create_default_context(cafile=probe.ca)
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def shake(probe, made, session=None):
    plain = socket.create_connection(("127.0.0.1", probe.port), timeout=5)
    sock = made.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
    sock.sendall(request())
    assert b"200 OK" in sock.recv(4096)
    return sock


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions_and_resumption_in_any_worker(start, version):
    probe = start(free_port(), workers=2)
    made = context(probe, version)
    first = shake(probe, made)
    assert not first.session_reused
    for _ in range(8):
        again = shake(probe, made, first.session)
        assert again.session_reused
        again.close()
    first.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(probe):
    made = context(probe, ssl.TLSVersion.TLSv1_1)
    made.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        shake(probe, made)


def test_alpn(probe):
    for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (None, None)):
        made = context(probe)
        if offered:
            made.set_alpn_protocols(offered)
        with shake(probe, made) as sock:
            assert sock.selected_alpn_protocol() == chosen
    made = context(probe)
    made.set_alpn_protocols(["h2"])
    with pytest.raises((ssl.SSLError, OSError)):
        shake(probe, made)


def served(probe):
    return ssl.get_server_certificate(("127.0.0.1", probe.port))


def test_certificate_is_replaced_while_running(start):
    probe = start(free_port(), workers=2)
    old = served(probe)
    staying = probe.connect()
    with open(probe.folder / "cert.pem", "w") as file:
        file.write("nonsense")
    os.kill(probe.process.pid, signal.SIGUSR1)
    time.sleep(1.2)
    assert served(probe) == old
    assert "tls_kept" in probe.text()
    edge_probe.certificate(probe.folder, "fresh")
    os.kill(probe.process.pid, signal.SIGUSR1)
    time.sleep(1.2)
    for _ in range(6):
        assert served(probe) != old
    assert staying.send(request()).answer().status == 200


def test_a_storm_of_reloads_loses_no_request(start):
    """A thousand SIGUSR1 to the parent and the workers, and a certificate that
    is good, bad and missing in turns: each request is answered, by the same
    workers."""
    probe = start(free_port(), workers=2)
    pids, over = probe.workers(), threading.Event()
    good = (probe.folder / "cert.pem").read_bytes()
    probe.ca = str(probe.folder / "ca.pem")
    pathlib.Path(probe.ca).write_bytes(good)
    answers, errors = [], []

    def client(stays):
        kept = probe.connect()
        while not over.is_set():
            try:
                raw = kept if stays else probe.connect()
                answers.append(raw.send(request()).answer().status)
                if not stays:
                    raw.sock.close()
            except Exception as error:  # told to the test below
                errors.append(error)
                return

    threads = [threading.Thread(target=client, args=(i % 2 == 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for i in range(1000):
        if i % 100 == 0:
            (probe.folder / "cert.pem.new").write_bytes(
                (good, b"nonsense", b"")[i // 100 % 3])
            (probe.folder / "cert.pem.new").rename(probe.folder / "cert.pem")
        for pid in (probe.process.pid, *pids):
            os.kill(pid, signal.SIGUSR1)
        time.sleep(0.004)
    (probe.folder / "cert.pem").write_bytes(good)
    over.set()
    for thread in threads:
        thread.join()
    assert errors == [] and set(answers) == {200} and len(answers) > 100
    assert probe.workers() == pids
    assert "tls_kept" in probe.text() and "tls_loaded" in probe.text()


def test_hangup_signal_changes_nothing(start):
    probe = start(free_port())
    for pid in (probe.process.pid, *probe.workers()):
        os.kill(pid, signal.SIGHUP)
    time.sleep(0.3)
    assert probe.get("/health").status == 200
    assert "reloaded" not in probe.text()


def test_stop_waits_for_requests_in_flight(start):
    probe = start(free_port(), workers=2)
    waiting = [probe.connect() for _ in range(6)]
    idle = probe.connect()
    assert idle.send(request()).answer().status == 200
    for i, raw in enumerate(waiting):
        raw.send(request("GET", f"/{'work' if i % 2 else 'slow'}?1000"))
    big = probe.connect(rcvbuf=65536)
    big.send(request("GET", "/big?20000000"))
    time.sleep(0.3)
    os.kill(probe.process.pid, signal.SIGTERM)
    assert idle.closed()
    for raw in waiting:
        answer = raw.answer()
        assert answer.body == b'"done"' and answer.headers["connection"] == "close"
        assert raw.closed()
    assert len(big.answer().body) == 20_000_000
    for raw in (*waiting, idle, big):
        raw.sock.close()
    probe.process.wait(5)
    assert "SIGSEGV" not in probe.text() and "drain_cut" not in probe.text()


def test_stop_is_bounded(start):
    probe = start(free_port(), drain=500)
    with probe.connect() as raw:
        raw.send(request("GET", "/work?3000"))
        with probe.connect() as other:
            other.send(request("GET", "/slow?60000"))
            time.sleep(0.1)
            begin = time.monotonic()
            os.kill(probe.process.pid, signal.SIGTERM)
            assert other.closed()
            probe.process.wait(5)
    assert time.monotonic() - begin < 2
    assert "drain_cut" in probe.text()


def test_nothing_new_is_taken_while_stopping(start):
    probe = start(free_port())
    with probe.connect() as raw:
        raw.send(request("GET", "/slow?800"))
        time.sleep(0.1)
        os.kill(probe.process.pid, signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(OSError):
            with probe.connect(timeout=0.5) as late:
                late.send(request()).answer()
        assert raw.answer().status == 200


def test_killed_worker_is_replaced(start):
    probe = start(free_port(), workers=2)
    before = set(probe.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    after = set(probe.workers())
    assert len(after) == 2 and not after & before
    assert probe.get("/health").status == 200
    os.kill(min(after), signal.SIGKILL)
    time.sleep(0.5)
    assert probe.get("/health").status == 200


def test_workers_die_with_the_parent(start):
    probe = start(free_port(), workers=2)
    workers = probe.workers()
    assert len(workers) == 2
    os.kill(probe.process.pid, signal.SIGKILL)
    probe.process.wait(5)
    time.sleep(0.3)
    assert not [p for p in workers if running(p)]


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_no_memory_is_kept_per_connection(probe):
    def resident():
        text = pathlib.Path(f"/proc/{probe.workers()[0]}/statm").read_text()
        return int(text.split()[1]) * 4096

    def visit(n):
        for _ in range(n):
            with probe.connect() as raw:
                raw.send(request("POST", "/echo", "Content-Length: 50000") + b"x" * 50000)
                assert len(raw.answer().body) == 50000

    visit(50)
    time.sleep(0.6)
    before = resident()
    visit(300)
    time.sleep(0.6)
    assert resident() - before < 2 << 20


def test_many_clients_at_once(start):
    probe = start(free_port(), workers=2)
    errors = []

    def client(n):
        try:
            with probe.connect() as raw:
                for i in range(60):
                    text = f"{n}-{i}".encode() * 50
                    raw.send(request("POST", "/echo", f"Content-Length: {len(text)}") + text)
                    assert raw.answer().body == text
        except Exception as error:  # told to the test below
            errors.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
