"""A bounded load of readings that remembers what was acknowledged.

Every reading's value follows from its series and time (value_of), so what was
sent is kept as blocks: `nodes` nodes from `first` on, `count` times from
`t0_us` on, `step_us` apart. support/proof.py compares them with the tiers."""

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections import Counter, namedtuple

from support.proof import prove

Block = namedtuple("Block", "first nodes t0_us count step_us")

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
STEP_US = 15 * 1_000_000  # between two readings of a gateway's series
AHEAD_US = 100 * 1_000_000  # of a sensor whose clock is fast
BACK_OFF = (0.05, 0.8)  # first and longest wait before trying again, s


def value_of(number, us):
    """In SQL: support/proof.py."""
    return (number * 37 + us // 1_000_000 * 13) % 4001 / 100


def name_of(number):
    return f"LOAD-{number:03}"


def rfc3339(us):
    t = time.gmtime(us // 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", t) + f".{us % 1_000_000:06d}Z"


def body_of(block):
    times = [block.t0_us + i * block.step_us for i in range(block.count)]
    numbers = range(block.first, block.first + block.nodes)
    return '{"readings":[' + ",".join(
        f'{{"node":"{name_of(n)}","metric":"pressure","ts":"{text}",'
        f'"value":{value_of(n, us):.2f}}}'
        for us, text in ((us, rfc3339(us)) for us in times)
        for n in numbers) + "]}"


# What the senders send: step 0, 1, 2 … of each is a block.

def gateway(first, nodes, start_us, count=10):
    """Many series, in order; step for step what a twin gateway sends."""
    return lambda step: Block(first, nodes, start_us + step * count * STEP_US,
                              count, STEP_US)


def logger(first, nodes, start_us, count=50):
    """Uploads old readings, the newest first."""
    return lambda step: Block(
        first, nodes, start_us - (step + 1) * count * STEP_US, count, STEP_US)


def sensor(number, start_us, ahead):
    """One reading a post; now and then from a clock that is fast."""
    def block(step):
        if ahead and step % 10 == 9:
            return Block(number, 1, time.time_ns() // 1000 + AHEAD_US, 1, 1)
        return Block(number, 1, start_us + step * 1_000_000, 1, 1)
    return block


class Sender(threading.Thread):
    """Posts blocks over one connection, each until it is acknowledged, every
    tenth once more. Goes on to the next target when one fails."""

    def __init__(self, targets, make, pause):
        super().__init__(daemon=True)
        self.targets, self.make, self.pause = list(targets), make, pause
        self.acknowledged = []  # blocks
        self.count = 0  # readings in them
        self.pending = None  # sent, perhaps stored, not acknowledged
        self.errors = []  # (monotonic time, status or exception)
        self.faults = []  # answers that are never right
        self.last_ok, self.longest_gap = None, 0.0
        self.stopping = threading.Event()
        self.connection = None

    def connect(self):
        target = self.targets[0]
        c = http.client.HTTPSConnection(
            "127.0.0.1", target.port, timeout=5,
            context=ssl.create_default_context(cafile=target.ca))
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def post(self, body):
        """The answer's figures; None if it was not 200."""
        c = self.connection = self.connection or self.connect()
        c.request("POST", "/api/v1/readings", body, {
            "Authorization": "Bearer " + self.targets[0].device_key,
            "Content-Type": "application/json"})
        answer = c.getresponse()
        text = answer.read()
        if answer.will_close:
            self.drop()
        elif select.select([c.sock], [], [], 0)[0] and (
                c.sock.pending() or c.sock.recv(1)):
            self.faults.append("a request was answered twice")
        if answer.status != 200:
            self.errors.append((time.monotonic(), answer.status))
            return None
        return json.loads(text)

    def try_once(self, body):
        try:
            return self.post(body)
        except (OSError, http.client.HTTPException) as problem:
            self.errors.append((time.monotonic(), repr(problem)))
            self.drop()
            self.targets.append(self.targets.pop(0))
            return None

    def insist(self, body):
        """The answer, however often it takes; None: told to stop."""
        wait, longest = BACK_OFF
        while (said := self.try_once(body)) is None:
            if self.stopping.wait(wait):
                return None
            wait = min(wait * 2, longest)
        return said

    def note(self, block, said):
        """`said` must tell of each reading that it is stored."""
        n = block.nodes * block.count
        if said["accepted"] + said["duplicates"] != n or said["rejected"]:
            self.faults.append(f"{n} readings were told of as {said}"[:400])
        now = time.monotonic()
        if self.last_ok is not None:
            self.longest_gap = max(self.longest_gap, now - self.last_ok)
        self.last_ok = now

    def run(self):
        step = 0
        while not self.stopping.is_set():
            block = self.pending = self.make(step)
            body, before = body_of(block), None
            for again in range(2 if step % 10 == 7 else 1):
                if (said := self.insist(body)) is None:
                    return
                self.note(block, said)
                # Another instance learns of it with its next period only.
                if again and said["accepted"] and before is self.targets[0]:
                    self.faults.append(f"sent again, told new: {said}"[:400])
                before = self.targets[0]
            self.acknowledged.append(block)
            self.count += block.nodes * block.count
            self.pending = None
            step += 1
            self.stopping.wait(self.pause)
        self.drop()


class Load:
    """Two gateways that send the same, a logger that uploads what is long
    past, and two sensors; between them a few thousand readings a second."""

    NODES = 64

    def __init__(self, *targets, pause=0.15, ahead=True):
        self.service = targets[0]
        self.names = [name_of(i) for i in range(self.NODES)]
        self.service.make_many(self.names, "pressure")
        # A midnight passes in the first seconds, and the span lies within
        # what the hot tier keeps.
        now = time.time_ns() // 1000
        live = (now - 12 * HOUR_US) // DAY_US * DAY_US - HOUR_US
        makes = [gateway(0, 50, live), gateway(0, 50, live),
                 logger(50, 10, live - 30 * HOUR_US),
                 sensor(60, live, ahead), sensor(61, live, ahead)]
        self.senders = []
        for i, make in enumerate(makes):
            turn = i % len(targets)
            self.senders.append(Sender(
                targets[turn:] + targets[:turn], make,
                pause if i < 3 else 0.01))

    def start(self):
        self.began = time.monotonic()
        for s in self.senders:
            s.start()

    def acknowledged_count(self):
        return sum(s.count for s in self.senders)

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
        self.ended = time.monotonic()

    def prove(self):
        """Everything acknowledged is there once, with its value, and each
        tier says the same; the figures."""
        for s in self.senders:
            assert not s.faults, s.faults[:3]
        figures = {
            "acknowledged": self.acknowledged_count(),
            "load_s": round(self.ended - self.began, 1),
            "refused_or_lost": dict(Counter(
                str(e[1]).split("(")[0] for e in self.errors())),
            "longest_gap_s": round(max(
                s.longest_gap for s in self.senders), 2),
        }
        figures.update(prove(
            self.service,
            [b for s in self.senders for b in s.acknowledged],
            [s.pending for s in self.senders if s.pending]))
        return figures
