"""A client of server-sent events as the HTML standard has it: what it heard,
and with `forever` its return behind the last id after each end."""

import http.client
import json
import ssl
import threading
import time

from support.service import wait_for


class Event:
    def __init__(self):
        self.type, self.data, self.id = "message", "", None

    @property
    def json(self):
        return json.loads(self.data)


class Listener:
    def __init__(self, service, role="viewer", query="", last_id=None,
                 forever=False, token=None, ports=None):
        self.service, self.query, self.last_id = service, query, last_id
        self.token = token or service.token(role)
        self.ports = ports or [service.port]
        self.forever = forever
        self.events, self.beats, self.connections = [], 0, 0
        self.status = self.headers = None
        self.over, self.stopped = threading.Event(), False
        self.begun = threading.Event()
        self.connection = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for("an answer", lambda: self.begun.is_set() or
                 self.over.is_set(), 20, 0.01)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopped = True
        self.hang_up()
        self.thread.join(10)

    def hang_up(self):
        connection = self.connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                pass

    def run(self):
        try:
            while True:
                try:
                    self.listen()
                except (OSError, http.client.HTTPException):
                    pass
                if not self.forever or self.stopped:
                    return
                time.sleep(0.1)
        finally:
            self.over.set()

    def listen(self):
        port = self.ports[self.connections % len(self.ports)]
        self.connections += 1
        context = ssl.create_default_context(cafile=self.service.ca)
        self.connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=30, context=context)
        headers = {"Authorization": f"Bearer {self.token}",
                   "Accept-Encoding": "gzip"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = str(self.last_id)
        self.connection.request("GET", "/api/v1/stream" + self.query,
                                headers=headers)
        answer = self.connection.getresponse()
        self.status, self.headers = answer.status, answer.headers
        if answer.status != 200:
            self.problem = json.loads(answer.read())
            if answer.status < 500:
                self.forever = False
            return
        event = Event()
        while line := answer.readline():
            event = self.take(event, line.decode().rstrip("\n"))
        self.connection.close()

    def take(self, event, line):
        name, _, value = line.partition(": ")
        if line == "":
            if event.id is not None:
                self.last_id = event.id
                self.begun.set()
            if event.data:
                self.events.append(event)
            return Event()
        if line == ":":
            self.beats += 1
        elif name == "id":
            event.id = int(value)
        elif name == "event":
            event.type = value
        elif name == "data":
            event.data += value
        return event

    @property
    def types(self):
        return [e.type for e in self.events]

    def heard(self, *types, seconds=15):
        """Waits until the last of them were heard, in this order."""
        wait_for(f"{types}, not {self.types[-10:]}",
                 lambda: self.types[-len(types):] == list(types), seconds,
                 0.02)
        return self.events[-len(types):]
