"""Two instances on one PostgreSQL and one Redis: kill -9 of the whole one
that leads, twice, while readings come in and approved plans are under way."""

import contextlib
import time

import pytest
import requests

from support.gateway import Gateway
from support.instance import Instance
from support.service import wait_for

PERIOD_MS = 1000
PLANS = 6
SHARDS = 4
MANY_PERIODS = 15  # s; what the loop may take to go on before it is a failure


class Pair:
    """The service and an instance beside it; either may lead."""

    def __init__(self, under_load, shards=1):
        self.first, self.second = None, None

        def beside(service):
            if shards > 1:
                service.lib("halt kore TERM 9")
                wait_for("the end of its connections", lambda: service.sql(
                    "SELECT 1 FROM pg_stat_activity WHERE application_name"
                    " LIKE 'penstock%%'") == [])
                service.sql("SELECT shards_set(%s)", shards)
                Instance(service, "kore", service.port).start()
            self.first = Instance(service, "kore", service.port)
            self.second = Instance(service).start()
            return [self.second]

        self.loaded = under_load({"PENSTOCK_LOOP_PERIOD": PERIOD_MS},
                                 beside=beside, pause=0.6)
        self.service = self.loaded.service

    def status(self):
        """(cycles, process that leads, when its last cycle ended)."""
        return self.service.sql(
            "SELECT cycle, split_part(instance, ':', 2)::int, "
            "extract(epoch FROM cycle_at)::float8 FROM loop_status")[0]

    def leader(self):
        _, pid, _ = self.status()
        for one in (self.first, self.second):
            if pid in one.workers():
                return one
        return None

    def take_over(self):
        """Kills the leader; the seconds between its last cycle and the first
        of the other, as the database saw them."""
        dead = wait_for("a leader", self.leader)
        other = self.second if dead is self.first else self.first
        dead.kill()
        cycle, _, before = self.status()
        wait_for("the loop in the other instance",
                 lambda: self.status()[1] in other.workers(), MANY_PERIODS,
                 0.02)
        after, _, at = self.status()
        assert after > cycle, "cycles count on"
        dead.start()
        return round(at - before, 2)


@pytest.fixture
def pair(under_load):
    pair = Pair(under_load)
    yield pair
    pair.loaded.load.stop()
    pair.second.stop()


def post(service, name, value, *seconds_ago):
    now = time.time()
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{
            "node": name, "metric": "flow", "value": value,
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S",
                                time.gmtime(now - s)) + "Z"}
            for s in seconds_ago]})
    assert answer.json()["accepted"] == len(seconds_ago), answer.text


def make(service, path, **body):
    answer = service.call("POST", "/api/v1/" + path, "admin", json=body)
    assert answer.status_code == 201, answer.text


def make_plans(service, url):
    """As many proposals, each to close a valve of its own."""
    make(service, "plan-templates", code="CLOSE", name="close", metric="flow",
         least_severity="critical", effect_metric="flow",
         effect_direction="low", effect_least=1, effect_window_s=2,
         command_life_s=60, actions=[
             {"step": 1, "action": "close_valve", "target_type": "valve",
              "target_relation": "inlet"}])
    make(service, "gateways", code="G", name="G", url=url)
    for i in range(PLANS):
        service.make_series(f"S-{i}", "flow")
        service.make_series(f"M-{i}", "flow", type="meter")
        make(service, "links", code=f"V-{i}", type="valve",
             from_node=f"S-{i}", to_node=f"M-{i}", gateway="G")
        answer = service.call(
            "PUT", f"/api/v1/series/M-{i}/flow/thresholds", "engineer",
            json={"thresholds": [
                {"direction": "high", "severity": "critical", "set_level": 50,
                 "clear_level": 40, "on_delay_s": 0, "off_delay_s": 0}]})
        assert answer.status_code == 200, answer.text
    for i in range(PLANS):
        post(service, f"M-{i}", 90, 3, 2, 1)
    return wait_for("a proposal for each", lambda: [
        row[0] for row in service.sql(
            "SELECT id FROM plans WHERE state = 'proposed'")]
        if service.sql("SELECT count(*) FROM plans") == [(PLANS,)] else None)


def approve(service, plans):
    for plan in plans:
        answer = service.call("POST", f"/api/v1/plans/{plan}/approve",
                              "operator", json={})
        assert answer.status_code == 200, answer.text


def test_the_leader_is_killed(pair, own_service):
    service, loaded = pair.service, pair.loaded
    gateway = Gateway("slow", "--slow-ms", "300")
    try:
        plans = make_plans(service, gateway.url)
        service.token("operator")
        gaps = []
        for half in plans[:PLANS // 2], plans[PLANS // 2:]:
            approve(service, half)
            time.sleep(0.3)  # some of the commands are on their way
            moment = time.monotonic()
            gaps.append(pair.take_over())
            loaded.back(moment)
        def ends():
            return service.sql("SELECT state, attempts, last_error "
                               "FROM commands WHERE state NOT IN ('executed', 'verified')")

        with contextlib.suppress(AssertionError):
            wait_for("an end of every command", lambda: not ends(), 60)
        assert not ends()
        log, _ = gateway.stop()
    finally:
        gateway.kill()
    keys = {key for key, in service.sql("SELECT key::text FROM commands")}
    assert {e["key"] for e in log} == keys, "each command was sent"
    assert log[-1]["executions"] == PLANS, "and acted on once"
    assert service.sql("SELECT count(*) FROM anomalies") == [(PLANS,)]
    loaded.prove(cycle_to_cycle_s=gaps, asked=len(log))
    assert max(gaps) < MANY_PERIODS


def test_what_the_other_instance_took_is_a_duplicate(pair):
    """A gateway that had no answer sends to the other instance later."""
    item = {"node": pair.loaded.load.names[-1], "metric": "pressure",
            "ts": "2026-01-02T03:04:05Z", "value": 7}

    def told(target):
        with pair.service.session("device") as session:
            return session.post(target.url + "/api/v1/readings", json=item,
                                timeout=10).json()["duplicates"]

    assert told(pair.first) == 0
    time.sleep(3 * PERIOD_MS / 1000)  # each looks around once a period
    assert told(pair.second) == 1


def test_the_hot_tier_begins_anew_when_an_instance_ends(pair):
    """It may have died between a commit and its write to Redis."""
    service = pair.service

    def epoch():
        return service.sql("SELECT epoch FROM hot_epoch")[0][0]

    wait_for("both instances", lambda: service.sql(
        "SELECT count(*) FROM instances") == [(2,)])
    before = epoch()
    pair.second.kill()
    wait_for("another epoch", lambda: epoch() > before)
    wait_for("one instance", lambda: service.sql(
        "SELECT count(*) FROM instances") == [(1,)])
    pair.loaded.back(time.monotonic())
    pair.loaded.prove()


def owners(service):
    """Shards by the process that watches them."""
    found = {}
    for shard, pid in service.sql(
            "SELECT l.objid::int8, a.application_name || ' ' || l.pid "
            "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.classid = 73058045"):
        found.setdefault(pid, []).append(shard)
    return found


def test_shards_are_watched_by_both_and_taken_over(under_load):
    """Every reading is merged once, whoever watches its series."""
    pair = Pair(under_load, SHARDS)
    service, loaded = pair.service, pair.loaded
    try:
        wait_for("an equal part each", lambda: sorted(
            map(len, owners(service).values())) == [SHARDS // 2] * 2)
        loaded.more(10000)
        assert service.sql("SELECT count(DISTINCT shard) FROM ingest_log")[
            0][0] > 1
        pair.take_over()
        pair.second.stop() if pair.leader() is pair.first else None
        wait_for("every shard in some loop", lambda: sum(
            map(len, owners(service).values())) == SHARDS)
        loaded.back(time.monotonic())
        loaded.more(5000)
        loaded.prove(shards=SHARDS)
    finally:
        loaded.load.stop()
        pair.second.stop()


def test_newest_values_of_the_other_instance(own_service):
    """One is asked all the time, so that it answers from copies it proves
    with Redis; what the other takes shows there soon, and never goes away."""
    service = own_service()
    service.start()
    service.make_series("NEW", "flow")
    other = Instance(service, "kore-2").start()
    session = service.session("viewer")
    try:
        def newest():
            answer = session.get(service.url + "/api/v1/nodes/NEW/latest")
            return answer.json()["items"][0]["value"]

        begin = time.time() - 600
        for value in range(1, 41):
            answer = requests.post(
                other.url + "/api/v1/readings", verify=other.ca,
                headers={"Authorization": f"Bearer {other.device_key}"},
                json={"node": "NEW", "metric": "flow", "value": value,
                      "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(
                          begin + value))})
            assert answer.json()["accepted"] == 1, answer.text
            moment, seen = time.monotonic(), []
            while not seen or seen[-1] != value:
                seen.append(newest())
                assert time.monotonic() < moment + 5, seen[-1]
            assert set(seen) <= {value - 1, value, None}
            for _ in range(40):
                assert newest() == value
    finally:
        other.stop()
