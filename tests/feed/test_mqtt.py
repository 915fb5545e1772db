"""Readings by MQTT: from the broker through penstock-mqtt to the service."""

import datetime
import json
import time

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
    counts = feed.stop()
    assert counts["acknowledged"] == counts["received"] == 1
    assert counts["accepted"] == 1
