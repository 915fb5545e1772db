"""A field gateway behind an MQTT broker, in the moods that the one by HTTP
has (support/gateway.py), and in those that only a broker makes possible."""

import datetime
import hmac
import json
import threading
import time

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

UTC = datetime.timezone.utc


def signature(secret, topic, when, body):
    text = b"\n".join((b"PUBLISH", topic.encode(), when.encode(), body))
    return "v1=" + hmac.new(secret.encode(), text, "sha256").hexdigest()


class MqttGateway:
    def __init__(self, broker, code, mode, secret, late_s=1.5, ca=None,
                 login=None):
        self.code, self.mode, self.secret = code, mode, secret
        self.url, self.late_s = broker.url, late_s
        self.log, self.done, self.executions = [], {}, 0
        self.forged = 0
        self.lock = threading.Lock()
        self.client = mqtt.Client(protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda c, *_: c.subscribe(
            [(f"penstock/{code}/{w}/+", 1) for w in ("commands", "questions")])
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        if ca is not None:
            self.client.tls_set(str(ca))
        if login is not None:
            self.client.username_pw_set(*login)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def _on_message(self, _client, _arg, message):
        names = dict(message.properties.UserProperty)
        when = names["Penstock-Time"]
        wanted = signature(self.secret, message.topic, when, message.payload)
        key = message.topic.rsplit("/", 1)[1]
        if wanted not in names["Penstock-Signature"].split(",") or abs(
                time.time() - int(when)) > 300:
            self.forged += 1
            return
        assert message.properties.ResponseTopic == (
            f"penstock/{self.code}/replies/{key}")
        asked = "/questions/" in message.topic
        body = json.loads(message.payload)
        assert body["idempotency_key"] == key
        threading.Thread(target=self._serve, daemon=True,
                         args=(key, body, asked)).start()

    def _serve(self, key, body, asked):
        with self.lock:
            answer = self._tell(key) if asked else self._take(key, body)
        if self.mode == "silent":
            return
        if not asked and self.mode in ("slow", "too-slow"):
            time.sleep(0.2 if self.mode == "slow" else self.late_s)
        if not asked and self.mode == "drop-after-accept":
            return
        if not asked and self.mode == "accepts":
            answer = {**answer, "status": "accepted"}
        if self.mode == "lies":
            answer = {**answer, "idempotency_key": "another"}
        payload = json.dumps(answer).encode()
        if not asked:
            payload = {"half": payload[:len(payload) // 2],
                       "huge": b" " * (1 << 20) + payload,
                       "garbage": b"\x00\xff{" * 10}.get(self.mode, payload)
        if self.mode == "forged":
            self.reply(key, payload, secret="0" * 64)
            self.reply(key, payload, secret=None)
            self.reply(key, payload, when=time.time() - 3600)
            return
        for _ in range(2 if self.mode == "twice" else 1):
            self.reply(key, payload)
        if self.mode == "crossed":  # also to a command that never was
            self.reply("0" * 8 + key[8:], payload)

    def _take(self, key, body):
        first = key not in self.done
        late = datetime.datetime.fromisoformat(body["not_after"].replace(
            "Z", "+00:00")) < datetime.datetime.now(UTC)
        if self.mode in ("500", "silent"):
            outcome = "error"
        elif late:
            outcome = "expired"
        else:
            outcome = "executed"
            self.executions += first
            self.done[key] = outcome
        self.log.append({"key": key, "at": datetime.datetime.now(
            UTC).isoformat(), "outcome": outcome, "repeat": not first,
            "executions": self.executions})
        return {"status": outcome, "idempotency_key": key}

    def _tell(self, key):
        return {"status": self.done.get(key, "unknown"),
                "idempotency_key": key}

    def reply(self, key, payload, secret="own", when=None, retain=False):
        topic = f"penstock/{self.code}/replies/{key}"
        when = str(int(when or time.time()))
        properties = Properties(PacketTypes.PUBLISH)
        if secret is not None:
            properties.UserProperty = [
                ("Penstock-Time", when),
                ("Penstock-Signature", signature(
                    self.secret if secret == "own" else secret, topic, when,
                    payload))]
        self.client.publish(topic, payload, qos=1, retain=retain,
                            properties=properties)

    def stop(self):
        """The log, and nothing of interest."""
        self.kill()
        return self.log, 0

    def kill(self):
        self.client.disconnect()
        self.client.loop_stop()
