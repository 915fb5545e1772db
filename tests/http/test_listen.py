"""GET /api/v1/stream: events as they happen, resumed without a gap, by zone
and type, for as long as who listens may."""

import itertools
import re

import pytest

from support.listener import Listener
from support.service import wait_for

numbers = itertools.count()


def toggle(service, times=1):
    for _ in range(times):
        for what in "pause", "resume":
            answer = service.call("POST", f"/api/v1/loop/{what}", "engineer")
            assert answer.status_code == 200, answer.text


TOGGLED = ("loop.paused", "loop.resumed")


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    from support.service import Service
    s = Service(PENSTOCK_LOOP_PERIOD=500, PENSTOCK_HEARTBEAT=1000,
                PENSTOCK_LISTENERS_PER_USER=3,
                PENSTOCK_WORKERS=1)
    try:
        s.start()
        yield s
    finally:
        s.remove()


def test_it_is_told_as_it_happens(stream):
    with Listener(stream) as one:
        assert one.headers["Content-Type"] == "text/event-stream"
        assert one.headers["Cache-Control"] == "no-store"
        assert one.headers["Content-Encoding"] is None
        toggle(stream)
        paused, resumed = one.heard(*TOGGLED)
    assert paused.json["actor"] == "engineer"
    assert paused.json["loop"]["paused"] is True
    assert paused.json["id"] == paused.id < resumed.id
    stored = stream.sql("SELECT id, type, body FROM events WHERE id >= %s"
                        " ORDER BY id", paused.id)
    assert [(e.id, e.type, e.data) for e in one.events] == stored


def test_who_comes_back_has_missed_nothing(stream):
    with Listener(stream) as one:
        toggle(stream)
        one.heard(*TOGGLED)
    toggle(stream, 120)  # more than one page
    with Listener(stream, last_id=one.last_id) as back, \
            Listener(stream, query=f"?after={one.last_id}") as other:
        toggle(stream)
        wait_for("all of it", lambda: len(back.events) == 242)
        wait_for("the same", lambda: len(other.events) == 242)
        assert back.types == list(TOGGLED) * 121 == other.types
        ids = [e.id for e in back.events]
        assert ids == sorted(set(ids)) and ids[0] > one.last_id


def test_a_heartbeat_carries_on_what_the_filter_left_out(stream):
    with Listener(stream, query="?type=plan.proposed,command") as one:
        first = one.last_id
        toggle(stream)
        wait_for("a heartbeat", lambda: one.beats > 1)
        wait_for("a later id", lambda: one.last_id > first)
        assert one.events == []


@pytest.mark.parametrize("query,status", [
    ("?type=weather", 422), ("?type=", 422), ("?type=plan..,", 422),
    ("?type=plan'", 422), ("?zone=NO-SUCH", 422), ("?after=-1", 400),
    ("?after=1x", 400), ("?since=1", 422),
    ("?type=" + ",".join(["plan"] * 17), 422)])
def test_what_is_no_filter_is_refused(stream, query, status):
    with Listener(stream, query=query) as one:
        assert one.status == status


def test_devices_and_strangers_hear_nothing(stream):
    assert stream.call("GET", "/api/v1/stream", "device").status_code == 403
    assert stream.call("GET", "/api/v1/stream").status_code == 401


def test_who_does_not_follow_is_let_go_when_he_has_caught_up(stream):
    toggle(stream)
    newest = stream.sql("SELECT max(id) FROM events")[0][0]
    answer = stream.call("GET", "/api/v1/stream", "viewer", params={
        "after": newest - 2, "follow": "false", "type": "loop"})
    ends = re.findall(r"^event: (.*)$", answer.text, re.M)
    assert ends == [*TOGGLED, "end"]
    assert answer.text.endswith('data: {"reason": "caught_up"}\n\n')
    # Also if nothing fits what he asked for.
    assert stream.call("GET", "/api/v1/stream", "viewer", params={
        "type": "plan.worked", "follow": "false"}).text.count("event:") == 1


def test_head_is_answered_without_a_stream(stream):
    answer = stream.call("HEAD", "/api/v1/stream", "viewer")
    assert answer.status_code == 200 and answer.content == b""


def test_ids_of_another_database_are_a_gap(stream):
    with Listener(stream, last_id=10**15) as one:
        gap, = one.heard("gap")
        toggle(stream)
        one.heard("gap", *TOGGLED)
    assert gap.json["after"] == 10**15 and gap.json["until"] == gap.id


def listeners(stream):
    return int(re.search(r"^penstock_listeners (\d+)$",
                         stream.call("GET", "/metrics").text, re.M)[1])


def test_what_is_gone_is_a_gap(stream):
    with Listener(stream) as one:
        toggle(stream, 3)
        one.heard(*TOGGLED * 3)
    kept = one.events[3].id
    stream.sql("UPDATE events SET at = now() - interval '9 d' WHERE id < %s",
               kept)
    stream.sql("SELECT events_prune(interval '8 d', 1000000)")
    # The worker forgets as well, once it knows that nobody listens.
    wait_for("all gone", lambda: listeners(stream) == 0)
    with Listener(stream, last_id=one.events[0].id) as back:
        heard = back.heard("gap", *TOGGLED[1:], *TOGGLED)
    assert heard[0].json == {"after": one.events[0].id,
                             "until": one.events[2].id}
    assert [e.id for e in heard[1:]] == [e.id for e in one.events[3:]]


def login(stream, name):
    answer = stream.call("POST", "/api/v1/auth/token", json={
        "username": name, "password": "correct horse battery"})
    assert answer.status_code == 201 or answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def make_user(stream, role="viewer", **more):
    name = f"listener-{next(numbers)}"
    answer = stream.call("POST", "/api/v1/users", "admin", json={
        "username": name, "password": "correct horse battery", "role": role,
        **more})
    assert answer.status_code == 201, answer.text
    return name


def test_logging_out_ends_it(stream):
    token = login(stream, make_user(stream))
    with Listener(stream, token=token) as one:
        with stream.session() as session:
            session.headers["Authorization"] = f"Bearer {token}"
            assert session.post(
                stream.url + "/api/v1/auth/logout", timeout=20).ok
        end, = one.heard("end")
        assert end.json == {"reason": "session_ended"}
        assert one.over.wait(10)


def test_one_user_listens_so_often(stream):
    token = login(stream, make_user(stream))
    with Listener(stream, token=token), Listener(stream, token=token), \
            Listener(stream, token=token) as third:
        with Listener(stream, token=token) as fourth:
            assert fourth.status == 429
            assert fourth.headers["Retry-After"]
        third.stop()
        wait_for("a place", lambda: Listener(
            stream, token=token).__enter__().status == 200)


def raise_in(stream, zone):
    node = f"LISTEN-{next(numbers)}"
    stream.make_series(node, "pressure", zone=zone)
    stream.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version)"
        " SELECT s.id, 'threshold', 'low', 'warning', 'open', 'test:1',"
        " now(), now(), '{}', 1 FROM series s JOIN nodes n"
        " ON n.id = s.node_id WHERE n.code = %s", node)
    return node


def test_zones(stream):
    raise_in(stream, "LISTEN-W")  # makes the zone
    raise_in(stream, "LISTEN-E")
    west = login(stream, make_user(stream, "operator", zones=["LISTEN-W"]))
    with Listener(stream, query="?type=anomaly.open") as everywhere, \
            Listener(stream, query="?zone=LISTEN-E") as east, \
            Listener(stream, token=west) as own, \
            Listener(stream, token=west, query="?zone=*") as asked:
        nodes = [raise_in(stream, zone)
                 for zone in ("LISTEN-W", "LISTEN-E", None)]
        toggle(stream)

        def told(listener):
            return [e.json["anomaly"]["node"] for e in listener.events
                    if e.type == "anomaly.open"]
        # The loop may have something to tell of the anomalies after that.
        for one in (east, own, asked):
            wait_for("both toggles", lambda: set(TOGGLED) <= set(one.types))
        wait_for("all", lambda: told(everywhere) == nodes)
        assert told(asked) == nodes
        assert told(own) == nodes[:1] and told(east) == nodes[1:2]
        assert own.events[0].json["zone"] == "LISTEN-W"


def test_a_change_of_what_raises_alarms_is_told_in_every_zone(stream):
    raise_in(stream, "LISTEN-E")  # makes the zone
    with Listener(stream, query="?type=rule.changed&zone=LISTEN-E") as one:
        answer = stream.call("PATCH", "/api/v1/alarm-classes/info", "engineer",
                             json={"latching": False})
        assert answer.status_code == 200, answer.text
        told, = one.heard("rule.changed")
    assert told.json["actor"] == "engineer" and told.json["zone"] is None
    assert told.json["rule"] == {"table": "alarm_classes", "subject": "info",
                                 "from": None, "to": None}
    assert told.json["request_id"]


def test_stopping_is_said_and_not_waited_for(own_service):
    service = own_service(PENSTOCK_DRAIN=20000)
    service.start()
    with Listener(service) as one:
        service.stop()
        end, = one.heard("end")
        assert end.json == {"reason": "stopping"}
    assert "drain_cut" not in service.log()
