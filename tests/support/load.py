"""A bounded load of readings that remembers what was acknowledged."""

import http.client
import json
import select
import socket
import ssl
import threading
import time

EPOCH_US = 1_700_000_000_000_000  # any past time; each reading has its own


def rfc3339(us):
    t = time.gmtime(us // 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", t) + f".{us % 1_000_000:06d}Z"


class Sender(threading.Thread):
    """Posts batches over one connection, each until it is acknowledged, and
    keeps (series index, time, value) of every acknowledged reading."""

    def __init__(self, service, nodes, number, batch=50):
        super().__init__(daemon=True)
        self.service, self.nodes, self.number = service, nodes, number
        self.batch = batch
        self.acknowledged = {}  # (node, us) -> value
        self.errors = []  # (monotonic time, what)
        self.surplus = 0  # bytes that came after an answer: answered twice
        self.stopping = threading.Event()
        self.last_ok = None
        self.context = ssl.create_default_context(cafile=service.ca)

    def connect(self):
        c = http.client.HTTPSConnection("127.0.0.1", self.service.port,
                                        timeout=5, context=self.context)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def make(self, step):
        readings = []
        for i in range(self.batch):
            us = EPOCH_US + (step * self.batch + i) * 1000 + self.number
            readings.append((self.nodes[i % len(self.nodes)], us,
                             float(step % 50) + i / 1000))
        return readings

    def post(self, connection, readings):
        body = json.dumps({"readings": [
            {"node": n, "metric": "pressure", "ts": rfc3339(us), "value": v}
            for n, us, v in readings]})
        connection.request("POST", "/api/v1/readings", body, {
            "Authorization": "Bearer " + self.service.device_key,
            "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 200 and not answer.will_close:
            ready, _, _ = select.select([connection.sock], [], [], 0)
            if ready and (connection.sock.pending() or
                          connection.sock.recv(1)):
                self.surplus += 1
        return answer, text

    def run(self):
        connection, step = None, 0
        while not self.stopping.is_set():
            readings = self.make(step)
            try:
                connection = connection or self.connect()
                answer, text = self.post(connection, readings)
                if answer.will_close:
                    connection.close()
                    connection = None
                if answer.status != 200:
                    self.errors.append((time.monotonic(), answer.status))
                    time.sleep(0.1)
                    continue
                said = json.loads(text)
                assert said["rejected"] == 0, text
            except (OSError, http.client.HTTPException) as problem:
                self.errors.append((time.monotonic(), repr(problem)))
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.1)
                continue
            for node, us, value in readings:
                self.acknowledged[node, us] = value
            self.last_ok = time.monotonic()
            step += 1


class Load:
    """Senders against a service, and the comparison with the database."""

    def __init__(self, service, senders=4, nodes=5):
        self.service = service
        self.names = [f"LOAD-{i}" for i in range(nodes)]
        for name in self.names:
            service.make_series(name, "pressure")
        self.senders = [Sender(service, self.names, i)
                        for i in range(senders)]

    def start(self):
        for s in self.senders:
            s.start()

    def acknowledged_count(self):
        return sum(len(s.acknowledged) for s in self.senders)

    def errors(self):
        return [e for s in self.senders for e in s.errors]

    def all_well_since(self, moment):
        """Every sender had an answer of 200 after that moment."""
        return all(s.last_ok and s.last_ok > moment for s in self.senders)

    def stop(self):
        for s in self.senders:
            s.stopping.set()
        for s in self.senders:
            s.join(15)
            assert not s.is_alive(), "a sender hangs"

    def check(self):
        """Every acknowledged reading is there once, with its value; returns
        how many were checked."""
        stored = {}
        with self.service.db() as cursor:
            cursor.execute(
                "SELECT node, round(extract(epoch FROM ts) * 1000000)::bigint,"
                " value FROM readings WHERE node = ANY (%s)", (self.names,))
            for node, us, value in cursor:
                assert (node, us) not in stored, f"twice: {node} {us}"
                stored[node, us] = value
        missing = wrong = 0
        for s in self.senders:
            assert s.surplus == 0, "a request was answered twice"
            for key, value in s.acknowledged.items():
                if key not in stored:
                    missing += 1
                elif stored[key] != value:
                    wrong += 1
        assert missing == 0, f"{missing} acknowledged readings are missing"
        assert wrong == 0, f"{wrong} acknowledged readings have another value"
        return self.acknowledged_count()
