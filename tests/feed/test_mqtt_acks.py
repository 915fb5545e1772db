"""When penstock-mqtt acknowledges, and what it does with what it cannot
store: against a stand-in for the API that can fail and hold back."""

import datetime
import http.server
import json
import subprocess
import threading
import time

import pytest

from support.broker import Broker, certificate, password_file
from support.mqtt_feed import Feed
from support.service import wait_for

TOPICS = """topic,node,metric,unit
plant/+/pressure,{1},pressure,bar
readings/#,,,
"""
TS = "2026-01-02T03:04:05Z"


class Api(http.server.ThreadingHTTPServer):
    """Stores readings; answers the statuses given first; can hold back."""
    daemon_threads = True

    def handle_error(self, *_):
        "A feeder that is killed hears no answer."

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.stored, self.asked = [], []
        self.statuses = []
        self.poison = None
        self.go_on = threading.Event()
        self.go_on.set()
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()

    def values(self):
        return [r["value"] for r in self.stored]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        api = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        items = json.loads(body)["readings"]
        api.asked.append(items)
        api.go_on.wait(30)
        status = api.statuses.pop(0) if api.statuses else 200
        if any(i.get("node") == api.poison for i in items):
            status = 422
        if status == 200:
            api.stored += items
        answer = json.dumps({"accepted": len(items), "duplicates": 0,
                             "rejected": 0, "items": []}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def api():
    api = Api()
    yield api
    api.go_on.set()
    api.shutdown()
    api.server_close()


@pytest.fixture
def broker():
    broker = Broker()
    yield broker
    broker.remove()


@pytest.fixture
def feed(broker, api):
    feed = Feed(broker, api.url, topics=TOPICS, KEEPALIVE=5)
    feed.start()
    yield feed
    feed.remove()


def reading(value, **members):
    return json.dumps({"node": "A", "metric": "flow", "ts": TS,
                       "value": value, **members})


def test_killed_before_the_answer_it_comes_again(broker, api, feed):
    """An acknowledgement sent any earlier would lose it."""
    api.go_on.clear()
    broker.publish("readings/x", reading(1))
    wait_for("it is sent", lambda: api.asked)
    time.sleep(0.5)
    feed.kill()
    api.statuses = [503]  # of the request that was held back
    api.go_on.set()
    feed.start()
    wait_for("it came again", lambda: api.values() == [1])
    assert feed.acknowledged(1)["received"] == 1


def test_acknowledged_it_does_not_come_again(broker, api, feed):
    broker.publish("readings/x", reading(1))
    wait_for("it is stored", lambda: api.stored)
    feed.acknowledged(1)
    feed.stop()
    feed.start()
    broker.publish("readings/x", reading(2))
    wait_for("the other is stored", lambda: len(api.stored) == 2)
    assert api.values() == [1, 2]


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_what_is_not_the_messages_fault_is_tried_again(
        broker, api, feed, status):
    api.statuses = [status] * 2
    broker.publish("plant/P-1/pressure", " 2.50\n")
    wait_for("it is stored", lambda: api.stored)
    item, = api.stored
    assert (item["node"], item["metric"], item["value"], item["unit"]) == (
        "P-1", "pressure", 2.5, "bar")
    age = (datetime.datetime.now(datetime.timezone.utc)
           - datetime.datetime.fromisoformat(item["ts"]))
    assert datetime.timedelta(0) <= age < datetime.timedelta(seconds=30)
    assert len({json.dumps(a) for a in api.asked}) == 1, "the same each time"
    assert feed.acknowledged(1)["retried"] == 2


def test_a_long_loss_of_the_service_loses_nothing(broker, api, feed):
    """Longer than the broker would keep a silent connection."""
    api.statuses = [503] * 1000
    broker.publish("readings/x", reading(1))
    wait_for("another connection",
             lambda: feed.said().count("connected to") > 1, 40)
    api.statuses = []
    broker.publish("readings/x", reading(2))
    wait_for("both are stored", lambda: sorted(api.values()) == [1, 2], 40)


def test_idle_it_keeps_its_connection(broker, api, feed):
    time.sleep(12)  # the broker ends it after one and a half keepalives
    broker.publish("readings/x", reading(1))
    feed.acknowledged(1)
    assert api.values() == [1]
    assert feed.said().count("connected to") == 1
    assert "exceeded timeout" not in broker.log()


@pytest.mark.parametrize("topic, payload, reason", [
    ("readings/x", "{", "no_json"),
    ("readings/x", "[1]", "no_reading"),
    ("readings/x", "17", "no_json"),
    ("readings/x", '{"readings": 1}', "no_list_of_readings"),
    ("readings/x", '{"node":"A","node":"B"}', "no_json"),
    pytest.param("readings/x", '{"a":' * 3000 + "1" + "}" * 3000, "no_json",
                 id="deep"),
    ("plant/P-1/pressure", "12 bar", "no_json"),
    ("plant/P-1/pressure", "NaN", "no_json"),
    ("plant/P-1/pressure", "1" * 500, "no_json"),
    ("plant/P-1/pressure", reading(1), "names_another_series"),
    ("plant/" + "n" * 200 + "/pressure", "1", "unknown_topic"),
    ("plant//pressure", "1", "unknown_topic"),
    ("plant//pressure", reading(1), "unknown_topic"),
])
def test_what_can_never_be_stored_is_set_aside(
        broker, api, feed, topic, payload, reason):
    broker.publish(topic, payload)
    broker.publish("readings/x", reading(3))
    wait_for("the good one is stored", lambda: api.values() == [3])
    assert reason in feed.said()
    counts = feed.acknowledged(2)
    assert (counts["received"], counts["set_aside"],
            counts["accepted"]) == (2, 1, 1)


def test_one_bad_message_takes_no_other_with_it(broker, api, feed):
    api.poison = "BAD"
    api.go_on.clear()
    broker.publish("readings/x", reading(0))
    wait_for("it is sent", lambda: api.asked)
    for i in range(1, 8):  # these wait, and go in one request
        broker.publish("readings/x", reading(
            i, **({"node": "BAD"} if i == 4 else {})))
    api.go_on.set()
    wait_for("the good ones", lambda: len(api.stored) == 7)
    assert sorted(api.values()) == [0, 1, 2, 3, 5, 6, 7]
    assert max(len(a) for a in api.asked) > 1
    assert feed.acknowledged(8)["set_aside"] == 1


def test_a_retained_number_has_no_time(broker, api):
    """It is as old as it may be; one that says its time is welcome."""
    broker.publish("plant/P-1/pressure", "7", "-r")
    broker.publish("plant/P-2/pressure",
                   json.dumps({"ts": TS, "value": 8}), "-r")
    feed = Feed(broker, api.url, topics=TOPICS)
    try:
        feed.start()
        wait_for("the dated one", lambda: api.values() == [8])
        assert api.stored[0]["ts"] == TS
        wait_for("the other", lambda: "retained_without_time" in feed.said())
        assert feed.acknowledged(2)["set_aside"] == 1
    finally:
        feed.remove()


def test_a_message_is_bounded(broker, api, feed):
    big = feed.path / "big"
    big.write_text(json.dumps({"readings": [json.loads(reading(1))] * 20000}))
    subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t",
                    "readings/x", "-f", big], check=True, timeout=20)
    broker.publish("readings/x", reading(2))
    wait_for("the good one is stored", lambda: api.values() == [2])
    assert feed.process.poll() is None


def test_a_group_shares_the_messages(broker, api):
    feeds = [Feed(broker, api.url, topics=TOPICS, GROUP="g",
                  CLIENT_ID=f"c{i}") for i in range(2)]
    try:
        for f in feeds:
            f.start()
        for i in range(20):
            broker.publish("readings/x", reading(i))
        wait_for("all of them", lambda: len(api.stored) == 20)
        assert sorted(api.values()) == list(range(20))
        assert sum(f.counts()["received"] for f in feeds) == 20
        assert min(f.counts()["received"] for f in feeds) > 0
    finally:
        for f in feeds:
            f.remove()


def test_the_broker_is_killed(broker, api, feed):
    api.statuses = [503] * 1000
    for i in range(5):
        broker.publish("readings/x", reading(i))
    # Mosquitto writes what it holds a moment after it was told.
    wait_for("the broker has written them", lambda: all(
        f'"value": {i}'.encode() in (broker.folder / "mosquitto.db")
        .read_bytes() for i in range(5)))
    broker.kill()
    api.statuses = []
    broker.start()
    wait_for("all of them", lambda: set(api.values()) == set(range(5)), 40)


@pytest.mark.parametrize("name, trust, password, works", [
    ("good", "good", "secret", True),
    ("good", "other", "secret", False),
    ("other", "other", "secret", False),
    ("good", "good", "wrong", False),
])
def test_broker_by_tls_with_a_password(
        api, tmp_path, name, trust, password, works):
    made = {n: certificate(tmp_path, n) for n in ("good", "other")}
    words = password_file(tmp_path, "feeder", "secret")
    (tmp_path / "password").write_text(password + "\n")
    broker = Broker(f"password_file {words}", certificate=made[name])
    feed = Feed(broker, api.url, topics=TOPICS, CA=made[trust][0],
                USER="feeder", PASSWORD_FILE=tmp_path / "password")
    try:
        feed.start(connected=works)
        if works:
            broker.publish("readings/x", reading(1), "--cafile",
                           made[name][0], "-u", "feeder", "-P", "secret")
            wait_for("it is stored", lambda: api.values() == [1])
        else:
            wait_for("a complaint", lambda: "the broker" in feed.said())
            assert "connected to" not in feed.said()
        assert "secret" not in feed.said()
    finally:
        feed.remove()
        broker.remove()


def test_a_certificate_of_its_own_beside_the_systems(api, tmp_path):
    """A broker that the system does not know is refused, by TLS."""
    cert, key = certificate(tmp_path, "good")
    broker = Broker(certificate=(cert, key))
    feed = Feed(broker, api.url, topics=TOPICS, CERT=cert, CERT_KEY=key)
    try:
        feed.start(connected=False)
        wait_for("a complaint", lambda: "the broker is away" in feed.said())
        assert "no client of the broker" not in feed.said()
    finally:
        feed.remove()
        broker.remove()


@pytest.mark.parametrize("settings, topics, complaint", [
    ({"BROKER": "http://127.0.0.1"}, TOPICS, "PENSTOCK_MQTT_BROKER"),
    ({"BROKER": "mqtt://:1883"}, TOPICS, "PENSTOCK_MQTT_BROKER"),
    ({"BROKER": "mqtt://h:99999"}, TOPICS, "PENSTOCK_MQTT_BROKER"),
    ({"KEY": ""}, TOPICS, "PENSTOCK_MQTT_KEY"),
    ({"GROUP": "a/b"}, TOPICS, "PENSTOCK_MQTT_GROUP"),
    ({"SESSION": "soon"}, TOPICS, "PENSTOCK_MQTT_SESSION"),
    ({}, "topic,node\na,b\n", 'no column "metric"'),
    ({}, "topic,node,metric\na/#/b,N,flow\n", "is no topic"),
    ({}, "topic,node,metric\na/+,{2},flow\n", "not as many '+'"),
    ({}, "topic,node,metric\na,N,\n", "node and metric"),
    ({}, "topic,node,metric\n", "names no topic"),
])
def test_wrong_settings_are_named(broker, api, settings, topics, complaint):
    feed = Feed(broker, api.url, topics=topics, **settings)
    feed.start(connected=False)
    assert feed.process.wait(10) == 2
    assert complaint in feed.said()
    feed.remove()
