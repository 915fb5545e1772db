"""Limits of requests, as a client meets them: by user, by address, over all
workers; and what is refused so that others are served."""

import os
import re
import signal
import time

import pytest

from support.service import Service, wait_for


def metric(service, name):
    text = service.call("GET", "/metrics").text
    return int(re.search(rf"^{re.escape(name)} (\d+)", text, re.M).group(1))


@pytest.fixture(scope="module")
def limited():
    s = Service(PENSTOCK_LIMIT_READ="6/60", PENSTOCK_LIMIT_CHANGE="6/60",
                PENSTOCK_LIMIT_ADDRESS_INGEST="5/500",
                PENSTOCK_LIMIT_LOGIN="12/600")
    try:
        s.start()
        yield s
    finally:
        s.remove()


def burst(service, role, method, path, n, **arguments):
    """Each over a connection of its own, so over all workers."""
    return [service.call(method, path, role, **arguments) for _ in range(n)]


def until_refused(service, role, method, path):
    """The answers before, and the first that is a 429."""
    answers = []
    for _ in range(40):
        answers.append(service.call(method, path, role))
        if answers[-1].status_code == 429:
            return answers[:-1], answers[-1]
    raise AssertionError("there is no limit")


def test_429_says_when_and_then_serves(limited):
    served, last = until_refused(limited, "viewer", "GET", "/api/v1/loop")
    assert len(served) >= 6 and {a.status_code for a in served} == {200}
    # Nothing is told while there is plenty.
    assert "RateLimit" not in served[0].headers
    assert served[-1].headers["RateLimit-Policy"] == '"read";q=6;w=60'
    assert last.headers["Content-Type"] == "application/problem+json"
    problem = last.json()
    assert (problem["type"], problem["reason"]) == (
        "/problems/too-many-requests", "read")
    wait = int(last.headers["Retry-After"])
    assert 1 <= wait <= 10
    assert last.headers["RateLimit"] == f'"read";r=0;t={wait}'
    # Others are served meanwhile, and so is what has no limit.
    assert limited.call("GET", "/api/v1/loop", "operator").status_code == 200
    assert limited.call("GET", "/health").status_code == 200
    time.sleep(wait)
    again = limited.call("GET", "/api/v1/loop", "viewer")
    assert again.status_code == 200, again.text
    assert metric(limited, 'penstock_limited_total{by="principal"}') >= 1


def test_changes_have_their_own(limited):
    path = "/api/v1/loop/resume"
    served, refused = until_refused(limited, "engineer", "POST", path)
    assert len(served) >= 6 and refused.json()["reason"] == "change"
    assert limited.call("GET", "/api/v1/loop", "engineer").status_code == 200


def test_an_address_is_limited_before_it_is_known_who_it_is(limited):
    got = burst(limited, None, "POST", "/api/v1/readings", 7, json={})
    codes = [a.status_code for a in got]
    assert set(codes[:5]) == {401} and codes[-1] == 429, codes
    assert got[-1].json()["reason"] == "ingest-address"
    with_key = limited.call("POST", "/api/v1/readings", "device", json={})
    assert with_key.status_code == 429
    assert metric(limited, 'penstock_limited_total{by="address"}') >= 2


def test_right_passwords_are_limited_by_user(limited):
    password = (limited.state / "secrets/viewer.password").read_text().strip()
    login = {"username": "viewer", "password": password}
    answers = burst(limited, None, "POST", "/api/v1/auth/token", 13, json=login)
    assert answers[-1].status_code == 429
    assert answers[-1].json()["reason"] == "login"
    assert int(answers[-1].headers["Retry-After"]) <= 50
    # Nobody else waits for that.
    password = (limited.state / "secrets/operator.password").read_text().strip()
    assert limited.call("POST", "/api/v1/auth/token", json={
        "username": "operator", "password": password}).status_code == 200


def test_a_worker_that_dies_gives_nothing_away(own_service):
    service = own_service(PENSTOCK_LIMIT_ADDRESS_READ="4/400")
    service.start()
    codes = [a.status_code for a in burst(service, None, "GET", "/openapi.json", 6)]
    assert codes[-1] == 429, codes
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
    wait_for("workers", lambda: len(service.workers()) == 2 and service.ready())
    assert service.call("GET", "/openapi.json").status_code == 429


def test_wrong_settings_are_named(own_service):
    service = own_service(PENSTOCK_LIMIT_READ="10 a minute")
    with pytest.raises(AssertionError, match="PENSTOCK_LIMIT_READ must be"):
        service.start()
