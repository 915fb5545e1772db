"""Tokens and sessions over HTTPS: every worker and every instance, within a
second; our own keys by rotation; those of a foreign identity provider."""

import json
import os
import secrets
import signal
import socket
import ssl
import struct
import threading
import time

import pytest
import requests

from support.idp import Key, Provider
from support.instance import Instance
from support.service import Service, wait_for

WITHIN = 1.0  # s, from the answer to the last worker's refusal
ISSUER = "https://login.utility.example"


def post(target, path, token=None, **body):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as s:
        s.trust_env = False
        return s.post(target.url + path, json=body or None, timeout=20,
                      headers=headers, verify=target.ca)


def log_in(target, name, password):
    answer = post(target, "/api/v1/auth/token", username=name,
                  password=password)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refresh(target, token):
    return post(target, "/api/v1/auth/refresh", refresh_token=token)


class Person:
    def __init__(self, service, role="viewer"):
        self.service, self.role = service, role
        self.name = "p" + secrets.token_hex(6)
        self.password = secrets.token_urlsafe(18)
        made = service.call("POST", "/api/v1/users", "admin", json={
            "username": self.name, "password": self.password, "role": role})
        assert made.status_code == 201, made.text

    def log_in(self, target=None):
        return log_in(target or self.service, self.name, self.password)

    def change(self, **members):
        answer = self.service.call(
            "PATCH", f"/api/v1/users/{self.name}", "admin", json=members)
        assert answer.status_code == 200, answer.text


class Doors:
    """Kept connections to the targets, so many that each worker has some."""

    def __init__(self, *targets, each=12):
        self.sessions = []
        for target in targets:
            for _ in range(each):
                s = requests.Session()
                s.verify, s.trust_env = target.ca, False
                self.sessions.append((s, target.url))

    def ask(self, token, path="/api/v1/auth/me"):
        return [s.get(url + path, timeout=20,
                      headers={"Authorization": f"Bearer {token}"})
                for s, url in self.sessions]

    def codes(self, token):
        return {a.status_code for a in self.ask(token)}

    def close(self):
        for s, _ in self.sessions:
            s.close()


@pytest.fixture
def doors(service):
    d = Doors(service)
    yield d
    d.close()


def assert_shut(doors, token, since):
    """Every door refuses, `WITHIN` after `since`."""
    while doors.codes(token) != {401}:
        assert time.monotonic() < since + 10, "a door stays open"
    # One round of all doors belongs to the test, not to the service.
    began = time.monotonic()
    doors.codes(token)
    round_s = time.monotonic() - began
    assert time.monotonic() - since < WITHIN + 3 * round_s


def test_what_a_log_in_gives(service):
    anna = Person(service, "operator")
    given = anna.log_in()
    assert given["token_type"] == "Bearer" and given["role"] == "operator"
    assert given["expires_in"] == 900
    assert given["refresh_expires_in"] == 7200
    me = service.session()
    me.headers["Authorization"] = "Bearer " + given["access_token"]
    answer = me.get(service.url + "/api/v1/auth/me", timeout=20)
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["name"], body["kind"], body["role"]) == (
        anna.name, "user", "operator")
    assert body["expires_at"].endswith("Z")
    # Nothing of it is in the database or the log.
    assert given["refresh_token"] not in service.log()
    assert given["access_token"] not in service.log()
    kept = service.sql("SELECT s::text FROM sessions s")
    assert all(given["refresh_token"][3:25] not in row[0] for row in kept)


def test_a_key_says_who_it_is(service):
    answer = service.call("GET", "/api/v1/auth/me", "device")
    assert answer.status_code == 200
    assert answer.json()["kind"] == "key"
    assert answer.json()["role"] == "device"
    assert answer.json()["name"].startswith("key:")
    assert service.call("POST", "/api/v1/auth/logout",
                        "device").status_code == 403


def test_refresh_rotates_and_reuse_ends_the_session(service, doors):
    anna = Person(service)
    first = anna.log_in()
    other = anna.log_in()
    second = refresh(service, first["refresh_token"])
    assert second.status_code == 200, second.text
    second = second.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert doors.codes(first["access_token"]) == {200}
    assert doors.codes(second["access_token"]) == {200}
    again = refresh(service, first["refresh_token"])
    since = time.monotonic()
    assert again.status_code == 401 and "used before" in again.text
    assert_shut(doors, second["access_token"], since)
    assert doors.codes(first["access_token"]) == {401}
    assert refresh(service, second["refresh_token"]).status_code == 401
    # The other log-in is another family.
    assert doors.codes(other["access_token"]) == {200}
    assert refresh(service, other["refresh_token"]).status_code == 200
    told = [json.loads(line) for line in service.log().splitlines()
            if "refresh_token_reused" in line]
    assert [t["user"] for t in told if t["user"] == anna.name] == [anna.name]


def test_who_reuses_a_token_and_leaves_ends_the_session(service):
    anna = Person(service)
    first = anna.log_in()["refresh_token"]
    second = refresh(service, first).json()["refresh_token"]
    context = ssl.create_default_context(cafile=service.ca)
    body = json.dumps({"refresh_token": first})
    with service.db() as rows:
        rows.execute("BEGIN")
        rows.execute("SELECT FROM users WHERE username = %s FOR UPDATE",
                     [anna.name])
        with context.wrap_socket(
                socket.create_connection(("127.0.0.1", service.port)),
                server_hostname="127.0.0.1") as client:
            client.sendall(
                f"POST /api/v1/auth/refresh HTTP/1.1\r\nHost: a\r\n"
                f"Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            wait_for("the question", lambda: service.sql(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = "
                "'Lock' AND query ~ 'session_refresh'"), 4, 0.02)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        time.sleep(0.2)  # the worker hears of it
        rows.execute("COMMIT")
    wait_for("the session's end", lambda: service.sql(
        "SELECT s.id FROM sessions s JOIN users u ON u.id = user_id "
        "WHERE u.username = %s AND revoked_why = 'refresh token reused'",
        anna.name), 5)
    assert refresh(service, second).status_code == 401


def test_one_refresh_token_many_times_at_once(service):
    anna = Person(service)
    token = anna.log_in()["refresh_token"]
    answers = []
    threads = [threading.Thread(
        target=lambda: answers.append(refresh(service, token)))
        for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    codes = sorted(a.status_code for a in answers)
    assert codes == [200] + [401] * 11
    last = [a.json() for a in answers if a.status_code == 200][0]
    assert refresh(service, last["refresh_token"]).status_code == 401


def test_log_out(service, doors):
    anna = Person(service)
    one, two = anna.log_in(), anna.log_in()
    assert doors.codes(one["access_token"]) == {200}
    assert post(service, "/api/v1/auth/logout",
                one["access_token"]).status_code == 204
    assert_shut(doors, one["access_token"], time.monotonic())
    refused = doors.ask(one["access_token"])[0]
    assert refused.headers["WWW-Authenticate"] == (
        'Bearer realm="penstock", error="invalid_token", '
        'error_description="the session has ended"')
    assert refused.json()["reason"] == "invalid_token"
    assert refresh(service, one["refresh_token"]).status_code == 401
    assert doors.codes(two["access_token"]) == {200}


@pytest.mark.parametrize("path", ["logout", "logout-all"])
def test_a_used_idempotency_key_leaves_nobody_logged_in(service, doors, path):
    anna = Person(service)
    for _ in range(2):
        token = anna.log_in()["access_token"]
        answer = requests.post(
            f"{service.url}/api/v1/auth/{path}", verify=service.ca, timeout=20,
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "once"})
        assert answer.status_code == 204
        assert_shut(doors, token, time.monotonic())


def test_log_out_everywhere(service, doors):
    anna, bo = Person(service), Person(service)
    tokens = [anna.log_in()["access_token"] for _ in range(3)]
    others = bo.log_in()["access_token"]
    for t in tokens:
        assert doors.codes(t) == {200}
    assert post(service, "/api/v1/auth/logout-all",
                tokens[0]).status_code == 204
    since = time.monotonic()
    for t in tokens:
        assert_shut(doors, t, since)
    assert doors.codes(others) == {200}


@pytest.mark.parametrize("members", [
    {"disabled": True}, {"role": "operator"}])
def test_a_changed_user_is_out(service, doors, members):
    anna = Person(service)
    given = anna.log_in()
    assert doors.codes(given["access_token"]) == {200}
    anna.change(**members)
    assert_shut(doors, given["access_token"], time.monotonic())
    assert refresh(service, given["refresh_token"]).status_code == 401
    if "role" in members:
        assert anna.log_in()["role"] == "operator"


def test_a_new_password_ends_the_tokens_of_the_old(service, doors):
    anna = Person(service)
    given = anna.log_in()
    assert doors.codes(given["access_token"]) == {200}
    new = secrets.token_urlsafe(18)
    answer = doors.sessions[0][0].put(
        service.url + "/api/v1/auth/password", timeout=20,
        json={"old_password": anna.password, "new_password": new},
        headers={"Authorization": "Bearer " + given["access_token"]})
    assert answer.ok, answer.text
    assert_shut(doors, given["access_token"], time.monotonic())
    assert refresh(service, given["refresh_token"]).status_code == 401
    assert doors.codes(log_in(service, anna.name, new)["access_token"]) == {
        200}


def test_a_worker_that_comes_later_knows(service, own_service):
    s = own_service()
    s.start()
    anna = Person(s)
    given = anna.log_in()
    alive = anna.log_in()["access_token"]
    assert post(s, "/api/v1/auth/logout",
                given["access_token"]).status_code == 204
    before = set(s.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("other workers", lambda: len(set(s.workers()) - before) >= 2)
    wait_for("/ready", s.ready)
    doors = Doors(s)
    assert doors.codes(alive) == {200}
    assert doors.codes(given["access_token"]) == {401}
    doors.close()


def test_a_worker_that_has_just_begun_takes_changes(own_service):
    """It waits until it knows which sessions ended, and nobody hears 503."""
    s = own_service()
    s.start()
    anna = Person(s)
    said = []
    for _ in range(4):
        before = set(s.workers())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while len(said) == 0 or said[-1] != 200:
            assert time.monotonic() < end, said
            try:
                said.append(s.call("PATCH", f"/api/v1/users/{anna.name}",
                                   "admin", json={"role": "viewer"}
                                   ).status_code)
            except requests.ConnectionError:
                pass  # nobody listens for a moment
        assert set(said) == {200}
        said.clear()
        wait_for("other workers",
                 lambda: len(set(s.workers()) - before) >= 2)


def test_another_instance_hears_it(service):
    other = Instance(service, "kore-tokens", PENSTOCK_LOOP_PERIOD=500).start()
    try:
        doors = Doors(service, other)
        anna = Person(service)
        given = anna.log_in(other)
        assert doors.codes(given["access_token"]) == {200}
        # Rotated here, reused there.
        second = refresh(service, given["refresh_token"]).json()
        assert doors.codes(second["access_token"]) == {200}
        assert refresh(other, given["refresh_token"]).status_code == 401
        assert_shut(doors, second["access_token"], time.monotonic())
        given = anna.log_in()
        assert doors.codes(given["access_token"]) == {200}
        assert post(other, "/api/v1/auth/logout-all",
                    given["access_token"]).status_code == 204
        assert_shut(doors, given["access_token"], time.monotonic())
        doors.close()
    finally:
        other.stop()


def write_keys(service, *lines):
    """As an operator would: a new file in place of the old one."""
    path = service.state / "secrets" / "jwt"
    owner = path.stat()
    new = path.with_name("jwt.new")
    new.write_text("".join(line + "\n" for line in lines))
    os.chown(new, owner.st_uid, owner.st_gid)
    new.chmod(0o600)
    new.rename(path)


def reload(service, event):
    before = service.log().count(event)
    os.kill(service.pid("kore"), signal.SIGUSR1)
    wait_for(f"{event} of each worker", lambda: service.log().count(event)
             >= before + len(service.workers()))


def test_keys_are_rotated_without_a_gap(own_service):
    s = own_service()
    s.start()
    anna = Person(s)
    doors = Doors(s, each=6)
    old = (s.state / "secrets" / "jwt").read_text().strip()
    new = secrets.token_urlsafe(48)
    given = anna.log_in()
    seen, stop = set(), threading.Event()

    def watch():
        mine = Doors(s, each=4)
        token = given["refresh_token"]
        while not stop.is_set():
            answer = refresh(s, token)
            seen.add(answer.status_code)
            if answer.status_code != 200:
                return
            token = answer.json()["refresh_token"]
            seen.update(mine.codes(answer.json()["access_token"]))
        mine.close()

    thread = threading.Thread(target=watch)
    thread.start()
    for lines in ((old, new), (new, old)):
        write_keys(s, *lines)
        reload(s, "token_keys_loaded")
        assert doors.codes(given["access_token"]) == {200}
    stop.set()
    thread.join(30)
    assert seen == {200}
    later = anna.log_in()
    # What is no key file changes nothing.
    write_keys(s, "short")
    reload(s, "token_keys_kept")
    assert doors.codes(later["access_token"]) == {200}
    # The old key is over: so are its tokens, from the caches too.
    write_keys(s, new)
    reload(s, "token_keys_loaded")
    assert doors.codes(given["access_token"]) == {401}
    assert doors.codes(later["access_token"]) == {200}
    assert old not in s.log() and new not in s.log()
    # A worker that comes now has the keys of now, not the parent's.
    before = set(s.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for("other workers", lambda: len(set(s.workers()) - before) >= 2)
    wait_for("/ready", s.ready)
    again = Doors(s, each=6)
    assert again.codes(later["access_token"]) == {200}
    assert again.codes(given["access_token"]) == {401}


@pytest.fixture
def provider(tmp_path_factory):
    folder = tmp_path_factory.mktemp("idp")
    p = Provider(folder)
    yield p
    p.close()


IDP = {"PENSTOCK_IDP_ISSUER": ISSUER, "PENSTOCK_IDP_AUDIENCE": "penstock",
       "PENSTOCK_IDP_ROLE_CLAIM": "/realm_access/roles",
       "PENSTOCK_IDP_ROLES": "viewer=staff,operator=control room"}


def with_provider(own_service, provider, **settings):
    ca = own_service  # the service reads its CA from a folder it can enter
    s = ca()
    here = s.folder / "idp-ca.pem"
    here.write_bytes(provider.cert.read_bytes())
    here.chmod(0o644)
    s.env.update(IDP, PENSTOCK_IDP_KEYS=provider.url,
                 PENSTOCK_IDP_CA=str(here), **settings)
    s.start()
    return s


def foreign(key, roles=("staff",), **claims):
    return key.token(ISSUER, **{
        "aud": "penstock", "realm_access": {"roles": list(roles)}, **claims})


def provider_state(service):
    found = [d for d in service.call("GET", "/ready").json()["dependencies"]
             if d["name"] == "identity_provider"]
    return found[0]["ok"] if found else None


def test_tokens_of_a_foreign_provider(own_service, provider):
    r, e = Key("r1"), Key("e1", "EC")
    provider.show(r, e, {"kty": "oct", "kid": "o1", "k": "A" * 43})
    s = with_provider(own_service, provider)
    doors = Doors(s, each=6)
    for key in (r, e):
        answers = doors.ask(foreign(key, ["x", "staff", "control room"]))
        assert {a.status_code for a in answers} == {200}
        body = answers[0].json()
        assert (body["name"], body["kind"], body["role"]) == (
            "idp:u-1", "foreign", "operator")
    assert provider_state(s) is True
    for path in ("/api/v1/auth/logout", "/api/v1/auth/logout-all"):
        answer = post(s, path, foreign(r))
        assert answer.status_code == 409 and "provider" in answer.text
    # Who they are is in the token; what they may do is by our table alone.
    none = doors.ask(foreign(r, ["admin"]))[0]
    assert none.status_code == 403
    assert 'error="insufficient_scope"' in none.headers["WWW-Authenticate"]
    for token in (foreign(r, iss="https://other.example"),
                  foreign(r, aud="another"), foreign(r, exp=1),
                  foreign(r, nbf=int(time.time()) + 3600),
                  foreign(r)[:-6] + "AAAAAA"):
        assert doors.codes(token) == {401}
    # Our own go on as before.
    assert s.call("GET", "/api/v1/auth/me", "viewer").status_code == 200


def revoke(service, **body):
    answer = service.call("POST", "/api/v1/revocations", "admin",
                          json={"reason": "stolen", **body})
    assert answer.status_code == 201, answer.text
    return answer.json(), time.monotonic()


def test_foreign_tokens_are_ended(own_service, provider):
    key = Key("r1")
    provider.show(key)
    s = with_provider(own_service, provider, PENSTOCK_IDP_LIFE="3600")
    doors = Doors(s, each=6)
    begun = int(time.time()) - 5
    one, other, nameless = (
        foreign(key, iat=begun, **more)
        for more in ({"jti": "t-1"}, {"jti": "t-2"}, {}))
    bystander = foreign(key, iat=begun, sub="u-2", jti="t-3")
    for token in one, other, nameless, bystander:
        assert doors.codes(token) == {200}
    made, since = revoke(s, jti="t-1")
    assert_shut(doors, one, since)
    assert "was revoked" in doors.ask(one)[0].text
    assert doors.codes(other) == {200}
    held, since = revoke(s, principal="idp:u-1")
    assert_shut(doors, other, since)
    assert doors.codes(nameless) == {401}
    assert doors.codes(bystander) == {200}
    # What begins from now on is good; the provider's clock may be ahead.
    time.sleep(1.1)
    fresh = foreign(key, iat=int(time.time()) + 30, jti="t-4")
    assert doors.codes(fresh) == {200}
    for pid in s.workers():
        os.kill(pid, signal.SIGKILL)
    wait_for("/ready", s.ready)
    doors = Doors(s, each=6)
    assert doors.codes(one) == doors.codes(nameless) == {401}
    assert doors.codes(fresh) == doors.codes(bystander) == {200}
    # Neither too long, nor without a begin: it could not be ended for good.
    now = int(time.time())
    for times in {"iat": now, "exp": now + 3700}, {"iat": None}:
        assert doors.codes(foreign(key, **times)) == {401}
    listed = s.call("GET", "/api/v1/revocations", "admin").json()
    assert listed == {"items": [held, made], "next": None}
    for method in "GET", "POST":
        assert s.call(method, "/api/v1/revocations", "engineer", json={
            "jti": "x", "reason": "x"} if method == "POST" else None
            ).status_code == 403
    doors.close()


def test_a_foreign_operator_acts_in_the_zones_of_his_token(
        own_service, provider):
    key = Key("r1")
    provider.show(key)
    s = with_provider(own_service, provider,
                      PENSTOCK_IDP_ZONES_CLAIM="/water/zones")
    for zone in "FZ-N", "FZ-S":
        s.make_series(f"{zone}-1", "level", zone=zone)

    def act(zone, *zones, **claims):
        token = foreign(key, ["control room"], **claims, **(
            {"water": {"zones": list(zones)}} if zones else {}))
        return post(s, "/api/v1/hands-off", token, reason="x",
                    **({"zone": zone} if zone else {}))

    for answer in (act("FZ-N"), act("FZ-N", "FZ-S"), act("FZ-S", "FZ-N"),
                   act(None, "FZ-N", "FZ-S"), act("FZ-N", zones=["FZ-N"])):
        assert answer.status_code == 403, answer.text
        assert "zones of idp:u-1" in answer.json()["detail"]
    for answer in act("FZ-N", "FZ-N"), act("FZ-S", "other", "FZ-S"), act(
            None, "*"):
        assert answer.status_code in (200, 201), answer.text
    doors = Doors(s, each=1)
    for zones in ["FZ-N"], []:
        me = doors.ask(foreign(key, ["control room"],
                               water={"zones": zones}))[0].json()
        assert me["zones"] == zones
    assert "zones" not in doors.ask(foreign(key))[0].json()
    doors.close()


def test_a_new_foreign_key_is_fetched_and_the_last_good_kept(
        own_service, provider):
    first, second, third = Key("k1"), Key("k2", "EC"), Key("k3")
    provider.show(first)
    s = with_provider(own_service, provider)
    doors = Doors(s, each=6)
    assert doors.codes(foreign(first)) == {200}
    time.sleep(10.5)  # the least time between two fetches
    provider.show(second)
    # Each worker asks once, and its requests wait for that.
    before = provider.asked
    assert doors.codes(foreign(second)) == {200}
    assert provider.asked - before <= 2
    assert doors.codes(foreign(first)) == {401}  # it was withdrawn
    # Names that nobody knows make no more fetches.
    before = provider.asked
    for i in range(20):
        assert doors.codes(foreign(Key(f"n{i}", "EC"))) == {401}
    assert provider.asked == before
    # The provider breaks: what was good stays good.
    time.sleep(10.5)
    for provider.status, provider.body in (
            (500, b""), (200, b"{"), (200, b'{"keys":[]}'),
            (200, b" " * 70000)):
        assert doors.codes(foreign(third)) == {401}
        assert doors.codes(foreign(second)) == {200}
    assert provider_state(s) is False
    assert "idp_keys_kept" in s.log()


def test_a_provider_that_is_not_there_at_first(own_service, provider):
    key = Key("k1")
    provider.status = 503
    s = with_provider(own_service, provider, PENSTOCK_IDP_REFRESH="10")
    assert provider_state(s) is False
    assert s.call("GET", "/api/v1/auth/me", "viewer").status_code == 200
    provider.status = 200
    provider.show(key)
    doors = Doors(s, each=6)
    wait_for("its keys", lambda: doors.codes(foreign(key)) == {200}, 30, 1)


def test_a_provider_that_hangs_holds_up_nobody_else(own_service, provider):
    key = Key("k1")
    provider.show(key)
    provider.open.clear()
    s = with_provider(own_service, provider, PENSTOCK_IDP_REFRESH="10")
    waiting = threading.Thread(target=lambda: doors_codes(s, foreign(key)))
    waiting.start()
    for _ in range(5):
        assert s.call("GET", "/api/v1/auth/me", "viewer").status_code == 200
    assert provider.asked > 0
    provider.open.set()
    waiting.join(30)
    wait_for("its keys", lambda: doors_codes(s, foreign(key)) == {200}, 45, 1)


def test_a_redirect_or_another_certificate_is_not_followed(
        own_service, provider):
    key = Key("k1")
    provider.show(key)
    provider.status, provider.headers = 302, {"Location": provider.url}
    s = with_provider(own_service, provider)
    assert doors_codes(s, foreign(key)) == {401}
    assert "status 302" in s.log()


def doors_codes(service, token):
    doors = Doors(service, each=4)
    codes = doors.codes(token)
    doors.close()
    return codes


def test_keys_from_a_file(own_service):
    key = Key("f1", "EC")
    s = own_service()
    path = s.folder / "jwks.json"
    path.write_text(json.dumps({"keys": [key.jwk()]}))
    path.chmod(0o644)
    s.env.update(IDP, PENSTOCK_IDP_KEYS=str(path))
    s.start()
    assert doors_codes(s, foreign(key)) == {200}


def test_more_sessions_end_than_a_worker_keeps():
    """Who cannot be told from them changes nothing; readers are served."""
    own = Service()
    try:
        own.start()
        own.token("admin")
        with own.db() as rows:
            rows.execute("SET session_replication_role = replica")
            rows.execute(
                "INSERT INTO sessions (handle_sha256, secret_sha256, user_id, "
                "expires_at, idle_until, access_until, revoked_at, "
                "revoked_why, change) SELECT sha256(i::text::bytea), "
                "sha256(i::text::bytea), (SELECT min(id) FROM users), "
                "now() + '1 day', now() + '1 day', now() + '1 hour', now(), "
                "'logged out', (SELECT max(change) FROM sessions) + i "
                "FROM generate_series(1, 530000) i")
        own.sql("SELECT pg_notify('penstock_change', 'sessions')")
        wait_for("no change is let in", lambda: own.call(
            "PATCH", "/api/v1/users/nobody", "admin",
            json={"role": "viewer"}).status_code == 503, 60, 0.5)
        assert own.call("GET", "/api/v1/nodes", "admin").status_code == 200
        assert "no room for the sessions" in own.log()
        assert "registry_row_unusable" not in own.log()
    finally:
        own.remove()
