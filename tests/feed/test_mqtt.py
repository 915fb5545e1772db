"""Readings by MQTT: from the broker through penstock-mqtt to the service."""

import datetime
import json

import pytest

from support.broker import Broker
from support.mqtt_feed import Feed
from support.service import Service, wait_for

UTC = datetime.timezone.utc
TOPICS = """topic,node,metric,unit
plant/+/pressure,{1},pressure,m
plant/+/flow,{1},flow,
readings/#,,,
"""


def now(offset=0.0):
    return (datetime.datetime.now(UTC) + datetime.timedelta(
        seconds=offset)).isoformat()


@pytest.fixture(scope="module")
def world():
    service, broker = Service(), Broker()
    try:
        service.start()
        for i in range(4):
            service.make_series(f"N-{i}", "pressure", "flow")
        yield service, broker
    finally:
        broker.remove()
        service.remove()


@pytest.fixture
def feed(world):
    service, broker = world
    feed = Feed(broker, service.url, service.ca, service.device_key, TOPICS)
    try:
        feed.start()
        yield feed
    finally:
        feed.remove()


def latest(service, node, metric):
    answer = service.call("GET", f"/api/v1/nodes/{node}/latest", "viewer")
    return next((i["value"] for i in answer.json()["items"]
                 if i["metric"] == metric), None)


def test_a_published_number_is_the_latest(world, feed):
    service, broker = world
    broker.publish("plant/N-0/pressure", "41.25")
    wait_for("41.25", lambda: latest(service, "N-0", "pressure") == 41.25)
    counts = feed.acknowledged(1)
    assert (counts["received"], counts["accepted"]) == (1, 1)


def test_messages_say_unit_and_time_themselves(world, feed):
    service, broker = world
    broker.publish("readings/any", json.dumps({"readings": [
        {"node": "N-1", "metric": "flow", "ts": now(-2), "value": 36,
         "unit": "m3/h"},
        {"node": "N-1", "metric": "flow", "ts": now(-1), "value": 10,
         "unit": "l/s"}]}))
    broker.publish("plant/N-1/pressure", json.dumps(
        {"ts": now(-1), "value": 1, "unit": "bar"}))
    wait_for("10 l/s", lambda: latest(service, "N-1", "flow") == 36)
    wait_for("1 bar", lambda: abs(
        (latest(service, "N-1", "pressure") or 0) - 10.197) < 0.01)
    assert feed.acknowledged(2)["accepted"] == 3


def test_what_is_no_reading_is_set_aside(world, feed):
    service, broker = world
    odd = (b"\0\x005", b"5\0", b"1 2", b"0x10", b"5,0", b"nan", b"{}x", b"[",
           b'{"node": "N-2", "value": 1}')
    for payload in odd:
        broker.publish("plant/N-0/flow", payload)
    broker.publish("plant/N-0/flow", b" \r\n\t0.25\t\n ")
    wait_for("0.25", lambda: latest(service, "N-0", "flow") == 0.25)
    counts = feed.acknowledged(len(odd) + 1)
    assert (counts["set_aside"], counts["accepted"]) == (len(odd), 1)


def test_the_key_bounds_what_may_be_written(world):
    service, broker = world
    answer = service.call("POST", "/api/v1/api-keys", "admin", json={
        "name": "broker", "nodes": ["N-2"]})
    assert answer.status_code == 201, answer.text
    feed = Feed(broker, service.url, service.ca, answer.json()["key"], TOPICS)
    try:
        feed.start()
        broker.publish("plant/N-3/flow", "5")
        broker.publish("plant/nobody/flow", "5")
        broker.publish("plant/N-2/flow", "7")
        wait_for("what it may", lambda: latest(service, "N-2", "flow") == 7)
        counts = feed.acknowledged(3)
        assert (counts["accepted"], counts["rejected"]) == (1, 2)
        assert "plant/N-3/flow: not_in_scope" in feed.said()
        assert "plant/nobody/flow: unknown_series" in feed.said()
        assert latest(service, "N-3", "flow") is None
    finally:
        feed.remove()


def test_nothing_acknowledged_is_lost_whoever_is_killed(world, feed):
    """PostgreSQL, the feeder and the broker die while readings come; each
    that a sensor was told to be taken is stored in the end."""
    service, broker = world
    taken, base = [], datetime.datetime.now(UTC) - datetime.timedelta(hours=1)

    def publish(n):
        for _ in range(n):
            i = len(taken)
            at = (base + datetime.timedelta(seconds=i)).isoformat()
            broker.publish(f"plant/N-{i % 4}/flow",
                           json.dumps({"ts": at, "value": i}))
            taken.append(i)

    publish(15)
    service.kill("postgres")
    publish(10)
    feed.kill()
    publish(5)
    wait_for("the broker has written them", lambda: all(
        f'"value": {i}'.encode() in (broker.folder / "mosquitto.db")
        .read_bytes() for i in taken[-15:]))
    broker.kill()
    service.lib("postgres_start")
    broker.start()
    feed.start()
    publish(10)

    def stored():
        try:
            return {int(v) for v, in service.sql(
                "SELECT value FROM readings WHERE metric = 'flow'"
                " AND ts >= %s AND ts < %s", base,
                base + datetime.timedelta(minutes=30))}
        except Exception:  # it is on its way back
            return set()
    wait_for("each of them", lambda: stored() == set(taken), 60)


def test_scripts_run_starts_it_and_brings_it_back():
    broker = Broker()
    service = Service(PENSTOCK_WATCH="yes", PENSTOCK_MQTT_BROKER=broker.url)
    topics = service.folder / "topics.csv"
    topics.write_text(TOPICS)
    service.env["PENSTOCK_MQTT_TOPICS"] = str(topics)
    log = service.state / "log" / "mqtt.log"
    try:
        service.start()
        service.make_series("N-0", "pressure")
        wait_for("connected", lambda: "connected to" in log.read_text())
        service.kill("mqtt")
        broker.publish("plant/N-0/pressure", "12")
        wait_for("12", lambda: latest(service, "N-0", "pressure") == 12, 30)
    finally:
        service.remove()
        broker.remove()
