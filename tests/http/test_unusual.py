"""What a series' own past says of a reading, and that the past survives."""
import datetime
import math
import os
import re
import signal
import struct

from support.clock import start_again
from support.service import wait_for

UTC = datetime.timezone.utc
STEP = datetime.timedelta(hours=1)


def say(service, node, readings):
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": node, "metric": "pressure", "value": v,
                      "ts": t.isoformat()} for t, v in readings]})
    assert answer.json()["accepted"] == len(readings), answer.text


def taken_in(service, node):
    """How many readings its state holds, with those after the snapshot."""
    found = service.sql(
        "SELECT state, tail FROM watch_states w JOIN series s ON s.id ="
        " w.series JOIN nodes n ON n.id = s.node_id WHERE n.code = %s", node)
    if not found:
        return 0
    state, tail = map(bytes, found[0])
    before = struct.unpack("<q", state[-8:])[0] if state else 0
    return before + len(tail) // 16


def metric(service, name):
    text = service.call("GET", "/metrics").text
    return float(re.search(rf"^penstock_unusual_{name} (\S+)$", text,
                           re.M)[1])


def test_a_reading_unlike_its_past_is_an_anomaly(service):
    node = "UNU-1"
    service.make_series(node, "pressure")
    begin = datetime.datetime(2025, 6, 2, tzinfo=UTC)  # always the same days
    values = [40 + math.sin(i * i) for i in range(17 * 24)]
    # The same value longer than ever is told however many series share.
    values += [40.0] * 30
    hours = [(begin + i * STEP, v) for i, v in enumerate(values)]
    say(service, node, hours)
    found = wait_for("the anomaly", lambda: service.call(
        "GET", "/api/v1/anomalies", "viewer",
        params={"node": node}).json()["items"], 30)
    assert [(a["rule"], a["type"], a["severity"], a["direction"])
            for a in found] == [("unusual:freeze", "unusual", "info", "none")]
    # A cycle is counted when it is over, the states as the next begins.
    for name, least in (("raised_total", 1), ("states", 1),
                        ("readings_judged_total", len(hours))):
        wait_for(name, lambda: metric(service, name) >= least, 30)
    assert metric(service, "states_void_total") == 0
    evidence = service.call("GET", f"/api/v1/anomalies/{found[0]['id']}",
                            "viewer").json()["evidence"]
    assert 39 < evidence["expected"] < 41 and 0 < evidence["band"] < 5
    assert evidence["score"] >= 0.5 and evidence["unit"] == "m"
    assert datetime.datetime.fromisoformat(
        evidence["since"].replace("Z", "+00:00")) == hours[17 * 24][0]
    assert evidence["looks_like"] == "sensor fault"
    assert evidence["contributions"] == [
        {"node": node, "metric": "pressure", "share": 1}]
    assert evidence["readings"][-1]["value"] == 40
    # A day as ever ends it.
    say(service, node, [(hours[-1][0] + (i + 1) * STEP, values[i])
                        for i in range(30)])
    wait_for("its end", lambda: service.call(
        "GET", f"/api/v1/anomalies/{found[0]['id']}",
        "viewer").json()["state"] == "cleared", 30)


def found_of(service, node, state=None):
    items = service.call("GET", "/api/v1/anomalies", "viewer",
                         params={"node": node}).json()["items"]
    return [a for a in items if state in (None, a["state"])]


def watch(service, node, watched):
    answer = service.call("PATCH", f"/api/v1/series/{node}/pressure",
                          "engineer", json={"watched": watched})
    assert answer.status_code == 200, answer.text
    return answer.json()["watched"], answer.headers["X-Request-Id"]


def test_what_is_not_watched_is_let_alone(service):
    node = "UNU-3"
    service.make_series(node, "pressure")
    begin = datetime.datetime(2025, 6, 2, tzinfo=UTC)
    values = [40 + math.sin(i * i) for i in range(17 * 24)] + [40.0] * 30
    say(service, node, [(begin + i * STEP, v) for i, v in enumerate(values)])
    wait_for("the anomaly", lambda: found_of(service, node, "open"), 30)
    watched, request = watch(service, node, False)
    assert watched is False
    wait_for("its end", lambda: found_of(service, node, "cleared"), 30)
    assert taken_in(service, node) == 0
    # Who watches is in the record, and whoever listens heard of it.
    assert service.sql(
        "SELECT c->'before'->>'watched', c->'after'->>'watched' FROM audit a,"
        " json_array_elements(changes) c WHERE request_id = %s", request) == [
            ("true", "false")]
    assert service.sql(
        "SELECT body::json->'rule'->>'subject' FROM events WHERE type ="
        " 'rule.changed' AND body::json->>'request_id' = %s", request) == [
            (f"{node}/pressure",)]
    more = begin + len(values) * STEP
    say(service, node, [(more + i * STEP, 90.0 + i % 7) for i in range(48)])
    wait_for("they are merged", lambda: service.sql(
        "SELECT count(*) FROM ingest_log l, series s, nodes n WHERE n.id ="
        " s.node_id AND n.code = %s AND s.id = ANY (l.series)",
        node)[0][0] == 0, 30)
    assert watch(service, node, None)[0] is True
    more += 48 * STEP
    say(service, node, [(more + i * STEP, 40.0 + i % 7) for i in range(5)])
    wait_for("it is learnt anew", lambda: taken_in(service, node) == 5, 30)
    assert len(found_of(service, node)) == 1


def test_a_logger_is_judged_by_the_times_of_its_readings(service):
    """It uploads once a day what it read each quarter of an hour."""
    node = "UNU-4"
    service.make_series(node, "pressure")
    answer = service.call(
        "PUT", f"/api/v1/series/{node}/pressure/thresholds", "engineer",
        json={"thresholds": [{"direction": "low", "severity": "critical",
                              "set_level": 20, "clear_level": 25,
                              "on_delay_s": 1800}]})
    assert answer.status_code == 200, answer.text
    answer = service.call("POST", "/api/v1/rules", "engineer", json={
        "code": node, "mode": "live", "rule": {
            "when": {"series": f"{node}/pressure", "value": {"below": 15}},
            "severity": "warning", "type": "burst", "direction": "low",
            "message": "look"}})
    assert answer.status_code == 201, answer.text
    begin = datetime.datetime(2025, 6, 2, tzinfo=UTC)
    step = datetime.timedelta(minutes=15)
    for day in range(18):
        values = [40 + math.sin((96 * day + i) ** 2) for i in range(96)]
        if day == 17:
            values[20:32] = [10 + i / 10 for i in range(12)]
            values[45:96] = [40.0] * 51
        say(service, node, [(begin + (96 * day + i) * step, v)
                            for i, v in enumerate(values)])

    def at(i):
        return begin + (96 * 17 + i) * step

    def moment(text):
        return text and datetime.datetime.fromisoformat(
            text.replace("Z", "+00:00"))

    def told():
        found = {a["rule"]: (moment(a["first_at"]), moment(a["cleared_at"]))
                 for a in found_of(service, node)}
        # Chance may have raised another before.
        return [(what, times) for what, times in found.items()
                if what.startswith(("R:", "threshold:", "unusual:freeze"))]
    wait_for("all three", lambda: len(told()) == 3, 30)
    wait_for("their ends", lambda: len(
        [w for w, times in told() if times[1]]) == 2, 30)
    assert {what.partition(":")[0]: times for what, times in told()} == {
        "R": (at(20), at(32)), "threshold": (at(20), at(32)),
        "unusual": (at(45), None)}


def test_a_killed_worker_takes_in_each_reading_once(own_service):
    service = own_service(PENSTOCK_LOOP_PERIOD=200)
    service.start()
    node = "UNU-2"
    service.make_series(node, "pressure")
    begin = datetime.datetime.now(UTC) - datetime.timedelta(hours=2)
    for i in range(6):
        say(service, node, [(begin + datetime.timedelta(seconds=60 * i + j),
                             40 + j % 7) for j in range(25)])
        old = service.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers", lambda: len(
            set(service.workers()) - set(old)) == len(old), 30)
        wait_for("the service", service.ready, 30)
    wait_for("all readings", lambda: taken_in(service, node) >= 150, 30)
    assert taken_in(service, node) == 150
    assert service.sql("SELECT count(*) FROM readings")[0][0] == 150


def waited_for(service, node, days, longest_s):
    """As if it had been listened to for so long (domain/series_state.h)."""
    (series, state), = service.sql(
        "SELECT series, state FROM series_states w JOIN series s ON s.id ="
        " w.series JOIN nodes n ON n.id = s.node_id WHERE n.code = %s", node)
    waits = struct.pack("<qq", longest_s * 10**6, days * 86400 * 10**6)
    service.sql("UPDATE series_states SET state = %s WHERE series = %s",
                bytes(state)[:-16] + waits, series)


def test_a_dead_sensor_is_told_by_its_own_waits(own_service):
    """Nobody said how long its silence may last. Neither a start nor a clock
    that is set tells anything; an hour that goes by does, of the one that is
    not heard, and that outlives the worker that told it."""
    service = own_service(PENSTOCK_LOOP_PERIOD=200)
    service.start()
    nodes = "UNH-1", "UNH-2"
    now = datetime.datetime.now(UTC)
    for node in nodes:
        service.make_series(node, "pressure")
        say(service, node, [(now - i * STEP, 40 + math.sin(i * i))
                            for i in range(17 * 24, -1, -1)])
    for node in nodes:
        wait_for("all readings", lambda: taken_in(
            service, node) == 17 * 24 + 1, 30)
    service.lib("halt kore TERM 9")
    for node in nodes:
        waited_for(service, node, 30, 600)
    clock = start_again(service)
    minutes = 0

    def cycle():
        return service.sql("SELECT cycle FROM loop_status")[0][0]

    def told():
        return service.sql(
            "SELECT n.code FROM anomalies a JOIN series s ON s.id ="
            " a.series_id JOIN nodes n ON n.id = s.node_id WHERE rule_id ="
            " 'unusual:silence' ORDER BY 1")

    def wait(more):
        nonlocal minutes
        minutes += more
        clock.shift(minutes * 60 * 10**6)
        for _ in range(3):
            before = cycle()
            wait_for("a cycle", lambda: cycle() != before)

    wait(120)  # longer than the limit, and no time passed
    wait(20)
    wait(20)
    assert told() == []
    say(service, "UNH-2", [(now + datetime.timedelta(minutes=minutes), 40)])
    wait(15)
    wait(15)
    wait_for("the silence", told, 30)
    assert told() == [("UNH-1",)]
    clock.shift(0)
    old = service.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for("new workers", lambda: len(
        set(service.workers()) - set(old)) == len(old), 30)
    wait_for("the service", service.ready, 30)
    before = cycle()
    wait_for("a cycle", lambda: cycle() != before, 30)
    found, = found_of(service, "UNH-1", "open")
    assert (found["rule"], found["type"], found["severity"],
            found["direction"]) == ("unusual:silence", "unusual", "info",
                                    "none")
    evidence = service.call("GET", f"/api/v1/anomalies/{found['id']}",
                            "viewer").json()["evidence"]
    assert evidence["silence_s"] == 3600 and evidence["longest_s"] == 600
    assert evidence["unheard_for_s"] > 3 * 3600
    assert abs(evidence["cadence_s"] - 3600) < 60
    assert evidence["looks_like"] == "sensor fault"
    assert evidence["contributions"] == [
        {"node": "UNH-1", "metric": "pressure", "share": 1}]
    say(service, "UNH-1", [(datetime.datetime.now(UTC), 40)])
    wait_for("its end", lambda: found_of(service, "UNH-1", "cleared"), 30)
    assert told() == [("UNH-1",)]
