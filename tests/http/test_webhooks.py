"""Events delivered to others' servers: signed, again until they are taken,
each server by itself however it behaves."""

import json

import pytest

from support.receiver import Receiver, verified
from support.service import Service, wait_for

HOSTILE = ("broken", "moved", "silent", "cut", "huge", "drip", "nonsense")


@pytest.fixture(scope="module")
def calling():
    s = Service(PENSTOCK_LOOP_PERIOD=500, PENSTOCK_WEBHOOK_NETS="127.0.0.0/8",
                PENSTOCK_WEBHOOK_TIMEOUT=1000, PENSTOCK_WEBHOOK_LIFE=2)
    try:
        s.start()
        yield s
    finally:
        s.remove()


@pytest.fixture
def receive():
    made = []

    def make(mood="ok"):
        made.append(Receiver(mood))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def hook(calling):
    """Makes a webhook; all are deleted in the end."""
    made = []

    def make(code, url, types=("loop",), **more):
        answer = calling.call("POST", "/api/v1/webhooks", "admin", json={
            "code": code, "url": url, "types": list(types), **more})
        assert answer.status_code == 201, answer.text
        made.append(code)
        return answer.json()
    yield make
    for code in made:
        calling.call("DELETE", f"/api/v1/webhooks/{code}", "admin")


def toggle(service):
    for what in "pause", "resume":
        answer = service.call("POST", f"/api/v1/loop/{what}", "engineer")
        assert answer.status_code == 200, answer.text


def deliveries(service, code, **params):
    return service.call("GET", f"/api/v1/webhooks/{code}/deliveries", "admin",
                        params=params).json()["items"]


def test_an_event_is_delivered_once_signed(calling, receive, hook):
    receiver = receive()
    made = hook("W-OK", receiver.url, name="somebody")
    toggle(calling)
    wait_for("both", lambda: len(receiver.calls) == 2)
    wait_for("both settled", lambda: [d["state"] for d in deliveries(
        calling, "W-OK")] == ["delivered"] * 2)
    stored = dict(calling.sql(
        "SELECT 'msg_' || webhook_id || '_' || event_id, body FROM events e"
        " JOIN webhook_deliveries ON event_id = e.id"
        " JOIN webhooks w ON w.id = webhook_id WHERE w.code = 'W-OK'"))
    for headers, body in receiver.calls:
        assert stored[headers["webhook-id"]] == body.decode()
        assert headers["Content-Type"] == "application/json"
        assert verified(made["secret"], headers, body)
        assert not verified(made["secret"], headers, body + b" ")
        assert not verified("whsec_" + "A" * 43 + "=", headers, body)
    assert {json.loads(b)["type"] for _, b in receiver.calls} == {
        "loop.paused", "loop.resumed"}
    toggle(calling)
    wait_for("two more", lambda: len(receiver.calls) == 4)
    assert len(set(receiver.ids())) == 4


def test_a_secret_is_turned_with_both_signing_for_a_while(
        calling, receive, hook):
    receiver = receive()
    old = hook("W-TURN", receiver.url)["secret"]
    shown = calling.call("GET", "/api/v1/webhooks/W-TURN", "admin").json()
    assert "secret" not in shown and shown["secret_version"] == 0

    def turn(**body):
        answer = calling.call("POST", "/api/v1/webhooks/W-TURN/secret",
                              "admin", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["secret"]
    new = turn()
    toggle(calling)
    wait_for("both", lambda: len(receiver.calls) == 2)
    newer = turn(overlap_s=0)
    toggle(calling)
    wait_for("all", lambda: len(receiver.calls) == 4)
    assert len({old, new, newer}) == 3
    for (headers, body), good, bad in zip(
            receiver.calls, [(old, new)] * 2 + [(newer,)] * 2,
            [(newer,)] * 2 + [(old, new)] * 2):
        assert all(verified(s, headers, body) for s in good)
        assert not any(verified(s, headers, body) for s in bad)


def test_what_was_not_taken_comes_again_with_the_same_id(
        calling, receive, hook):
    receiver = receive("broken")
    hook("W-AGAIN", receiver.url)
    toggle(calling)
    wait_for("an attempt", lambda: receiver.calls)
    receiver.mood = "ok"
    first = receiver.ids()[0]
    wait_for("another", lambda: receiver.ids().count(first) > 1, 20)
    wait_for("its delivery", lambda: "delivered" in [
        d["state"] for d in deliveries(calling, "W-AGAIN")])


def test_none_waits_for_the_others(calling, receive, hook):
    bad = {mood: receive(mood) for mood in HOSTILE}
    for mood, receiver in bad.items():
        hook(f"W-{mood}", receiver.url)
    good = receive()
    hook("W-GOOD", good.url)
    for i in range(1, 6):
        toggle(calling)
        wait_for("delivery", lambda: len(set(good.ids())) == 2 * i, 5)
    for mood, receiver in bad.items():
        wait_for(mood, lambda: receiver.calls)
    # Long before: what they were sent is given up at last.
    error = {}
    for mood, receiver in bad.items():
        error[mood] = wait_for(f"dead letters of {mood}", lambda: deliveries(
            calling, f"W-{mood}", state="dead"), 60)[0]
        receiver.hold.set()
        assert deliveries(calling, f"W-{mood}", state="delivered") == []
    assert bad["moved"].ids() and None not in [
        h for h, _ in bad["moved"].calls]  # the redirect was not followed
    assert error["broken"]["status"] == 500
    assert error["moved"]["error"] == "status 302"
    assert error["silent"]["status"] is None
    assert "imed out" in error["silent"]["error"]


def test_a_dead_letter_is_told_and_sent_again(calling, receive, hook):
    receiver = receive("broken")
    hook("W-DEAD", receiver.url)
    toggle(calling)
    dead = wait_for("dead letters", lambda: deliveries(
        calling, "W-DEAD", state="dead"), 60)
    told = calling.sql("SELECT body FROM events WHERE type = 'webhook.dead'"
                       " ORDER BY id DESC LIMIT 1")[0][0]
    assert json.loads(told)["webhook"]["code"] == "W-DEAD"
    receiver.mood = "ok"
    path = f"/api/v1/webhooks/W-DEAD/deliveries/{dead[0]['event']}/again"
    again = calling.call("POST", path, "admin")
    assert again.status_code == 200 and again.json()["state"] == "pending"
    wait_for("delivery", lambda: dead[0]["event"] in [
        d["event"] for d in deliveries(calling, "W-DEAD",
                                       state="delivered")], 30)
    assert calling.call("POST", path.replace(
        str(dead[0]["event"]), "1"), "admin").status_code == 404


def test_types_zones_and_switch(calling, receive, hook):
    receiver = receive()
    hook("W-TYPE", receiver.url, types=["loop.resumed", "plan"])
    toggle(calling)
    wait_for("one", lambda: receiver.calls)
    off = calling.call("PATCH", "/api/v1/webhooks/W-TYPE", "admin",
                       json={"enabled": False})
    assert off.json()["enabled"] is False
    toggle(calling)
    on = calling.call("PATCH", "/api/v1/webhooks/W-TYPE", "admin",
                      json={"enabled": True, "types": ["loop.paused"]})
    assert on.json()["types"] == ["loop.paused"]
    toggle(calling)
    wait_for("another", lambda: len(receiver.calls) == 2)
    assert [json.loads(b)["type"] for _, b in receiver.calls] == [
        "loop.resumed", "loop.paused"]


@pytest.mark.parametrize("change,pointer", [
    ({"url": "ftp://example.com"}, "/url"),
    ({"url": "https://user@example.com/"}, "/url"),
    ({"url": "https://example.com/#x"}, "/url"),
    ({"types": []}, "/types"), ({"types": ["weather"]}, "/types"),
    ({"types": ["webhook"]}, "/types"), ({"zones": ["NO-SUCH"]}, "/zones"),
    ({"code": "?"}, "/code")])
def test_what_is_no_webhook(calling, change, pointer):
    answer = calling.call("POST", "/api/v1/webhooks", "admin", json={
        "code": "W-BAD", "url": "https://example.com/", "types": ["plan"],
        **change})
    assert answer.status_code == 422, answer.text
    assert answer.json().get("pointer", pointer) == pointer


def test_only_admins_and_only_with_the_present_version(calling, hook):
    hook("W-WHO", "https://hooks.example.com/")
    for role in "viewer", "engineer", "device":
        assert calling.call("GET", "/api/v1/webhooks",
                            role).status_code == 403
    path = "/api/v1/webhooks/W-WHO"
    tag = calling.call("GET", path, "admin").headers["ETag"]
    for good in True, False:
        answer = calling.call("PATCH", path, "admin", json={"name": "x"},
                              headers={"If-Match": tag})
        assert answer.status_code == (200 if good else 412)
    assert calling.call("POST", "/api/v1/webhooks", "admin", json={
        "code": "W-WHO", "url": "https://a.example/", "types": ["plan"],
    }).status_code == 409


def test_changes_are_in_the_record_without_the_secret(calling, hook):
    secret = hook("W-AUDIT", "https://hooks.example.com/")["secret"]
    rows = calling.sql("SELECT changes::text FROM audit WHERE action LIKE"
                       " 'webhooks%%'")
    assert any("W-AUDIT" in c for c, in rows)
    dump = "".join(str(calling.sql(f"SELECT t::text FROM {t} t"))
                   for t in ("webhooks", "audit", "idempotency"))
    assert secret not in dump and secret not in calling.log()


def test_an_address_that_is_not_allowed_is_not_called(own_service, receive):
    service = own_service(PENSTOCK_WEBHOOK_NETS="10.0.0.0/8",
                          PENSTOCK_WEBHOOK_LIFE=1)
    service.start()
    receiver = receive()
    for code, url in (("A", receiver.url),
                      ("B", receiver.url.replace("127.0.0.1", "localhost")),
                      ("C", "https://169.254.169.254/latest"),
                      ("D", "http://[::1]:9/")):
        assert service.call("POST", "/api/v1/webhooks", "admin", json={
            "code": code, "url": url, "types": ["loop"]}).status_code == 201
    toggle(service)
    for code in "ABCD":
        dead = wait_for("dead letters", lambda: deliveries(
            service, code, state="dead"), 60)
        assert "PENSTOCK_WEBHOOK_NETS" in dead[0]["error"], dead
    assert receiver.calls == []


def test_a_killed_service_delivers_what_waited(own_service, receive):
    service = own_service(PENSTOCK_WEBHOOK_NETS="127.0.0.0/8",
                          PENSTOCK_WEBHOOK_TIMEOUT=500)
    service.start()
    receiver = receive("broken")
    assert service.call("POST", "/api/v1/webhooks", "admin", json={
        "code": "K", "url": receiver.url, "types": ["loop"]}).ok
    toggle(service)
    wait_for("an attempt", lambda: receiver.calls)
    service.kill("postgres")
    service.lib("postgres_start")
    receiver.mood = "ok"
    wait_for("both delivered", lambda: len({
        json.loads(b)["id"] for _, b in receiver.calls[1:]}) == 2, 60)
