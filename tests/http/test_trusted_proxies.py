"""Whom a request is from when a proxy passed it on: believed of those named in
the settings alone, and then by limits, throttle and record alike."""

import time

import pytest

import edge_probe
from raw import request
from support.service import free_port, wait_for

A, B = "203.0.113.7", "2001:db8::7"


@pytest.fixture
def probe(tmp_path):
    if not edge_probe.available():
        pytest.skip("edge_probe.so not built")
    made = []

    def make(**settings):
        made.append(edge_probe.Probe(tmp_path, free_port(), **settings))
        return made[-1]
    yield make
    for p in made:
        p.stop()


def peer(raw, *fields):
    answer = raw.send(request("GET", "/echo", *fields)).answer()
    return answer.headers["x-peer"] if answer.status == 200 else answer.status


def test_nobody_is_believed_unless_named(probe):
    for settings in ({}, {"proxies": "10.0.0.0/8, ::1"}):
        p = probe(**settings)
        with p.connect() as raw:
            assert peer(raw, f"X-Forwarded-For: {A}") == "127.0.0.1"
            assert peer(raw, "X-Forwarded-For: x") == "127.0.0.1"
            assert peer(raw, f"Forwarded: for={A}") == "127.0.0.1"
        p.stop()


def test_each_request_is_of_whom_the_proxy_says(probe):
    p = probe(proxies="127.0.0.0/8,10.1.0.0/16")
    with p.connect() as raw:
        assert peer(raw) == "127.0.0.1"
        assert peer(raw, f"X-Forwarded-For: {A}") == A
        assert peer(raw, f"X-Forwarded-For: 1.1.1.1, [{B}]:80, 10.1.2.3") == B
        # Only one field is read, so that nobody smuggles in the other.
        assert peer(raw, f"Forwarded: for={A}") == "127.0.0.1"
        assert peer(raw, f"X-Forwarded-For: {A}, unknown") == 400
        assert raw.closed()


def test_forwarded_by_setting(probe):
    p = probe(proxies="127.0.0.1", proxy_field="forwarded")
    with p.connect() as raw:
        assert peer(raw, f'Forwarded: for="[{B}]";proto=https') == B
        assert peer(raw, f"X-Forwarded-For: {A}") == "127.0.0.1"
        assert peer(raw, "Forwarded: for=_secret") == 400


def test_the_cap_counts_what_a_client_has_under_way(probe):
    p = probe(proxies="127.0.0.1", address=2, workers=2)
    mine, other = f"X-Forwarded-For: {A}", f"X-Forwarded-For: {B}"
    raws = [p.connect() for _ in range(6)]  # more than the cap: the proxy's
    for raw in raws[:2]:
        raw.send(request("GET", "/slow?3000", mine))

    def third():
        with p.connect() as raw:
            return raw.send(request("GET", "/echo", mine)).answer()
    wait_for("the cap", lambda: third().status == 429)
    refused = third()
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert peer(raws[5], other) == B
    for raw in raws[:2]:
        assert raw.answer().status == 200
    assert [peer(raw, mine) for raw in raws] == [A] * 6
    for raw in raws:
        raw.sock.close()


def test_idle_ones_of_a_proxy_yield_last(probe):
    p = probe(proxies="127.0.0.2", connections=4, header_timeout=60)

    def served(raw):
        return raw.send(request()).answer().status == 200

    def connect(**more):
        made = p.connect(**more)
        assert served(made)
        return made
    held = [connect(source="127.0.0.2") for _ in range(2)]
    stranger = connect()
    time.sleep(2.2)  # whoever was silent for 2 s may yield
    # That is the stranger, though the proxy's were silent for longer.
    newer = connect()
    assert stranger.closed()
    assert served(held[0]) and served(held[1])
    newer.sock.close()
    held.append(connect(source="127.0.0.2"))
    time.sleep(2.2)
    # Where only its own are left, the one silent longest does.
    newest = connect()
    assert held[0].closed()
    assert served(held[1]) and served(held[2]) and served(newest)


def test_settings_that_are_wrong_are_named(own_service):
    service = own_service(PENSTOCK_PROXIES="10.0.0.0/33")
    with pytest.raises(AssertionError, match="PENSTOCK_PROXIES.*10.0.0.0/33"):
        service.start()


def test_limits_throttle_and_record_see_the_client(own_service):
    service = own_service(PENSTOCK_PROXIES="127.0.0.1",
                          PENSTOCK_LIMIT_ADDRESS_READ="20/2000",
                          PENSTOCK_LOGIN_TRIES=2)
    service.start()

    def of(address):
        return {"X-Forwarded-For": address}
    codes = [service.call("GET", "/api/v1/auth/me", headers=of(A)).status_code
             for _ in range(22)]
    assert codes[:20] == [401] * 20 and codes[21] == 429, codes
    assert service.call(
        "GET", "/api/v1/auth/me", headers=of(B)).status_code == 401
    wrong = {"username": "admin", "password": "not this one, I fear"}
    codes = [service.call("POST", "/api/v1/auth/token", json=wrong,
                          headers=of(A)).status_code for _ in range(4)]
    assert codes == [401, 401, 429, 429], codes
    assert service.call("POST", "/api/v1/auth/token", json=wrong,
                        headers=of("198.51.100.1")).status_code == 401
    wait_for("the record of both", lambda: {A, "198.51.100.1"} <= {
        row[0] for row in service.sql(
            "SELECT address FROM audit WHERE status = 401 "
            "AND action = 'token_create'")})
