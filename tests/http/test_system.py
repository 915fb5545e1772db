"""A zone whose signals are judged jointly: learnt at night, then a pump against
its rule, a meter that is off, water that is drawn unseen; all as the laboratory
tells it, and the same after a kill."""
import csv
import datetime
import json
import math
import os
import pathlib
import random
import subprocess

import pytest

from support.service import ROOT, Service, wait_for
from test_leaks import send

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)
LEARNT, ALL = 40 * 24, 52 * 24
RULE_AT, METER_AT, DRAWN_AT = 43 * 24 + 5, 46 * 24 + 8, 49 * 24 + 3
HALF = METER_AT + 3
CALM = 6
ALARMS = 1  # that may be false, a week and zone
INP = """[TITLE]
;LINK PU9 OPEN IF NODE T9 BELOW 1
[CONTROLS]
LINK PU1 OPEN IF NODE T1 BELOW 1.5 ; the night's water
LINK PU1 CLOSED IF NODE T1 ABOVE 4
LINK V7 CLOSED IF NODE T1 ABOVE 4.5
[OPTIONS]
 Units LPS
"""
# As they are made, so that the laboratory has them in the same order.
SIGNALS = [("T1", "level", "tank"), ("PU1", "status", "meter"),
           ("PU1", "flow", "meter"), ("D1", "flow", "meter"),
           ("D2", "flow", "meter"), ("J1", "pressure", "junction")]


def first_hour():
    now = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now - (ALL + 3) * HOUR


BEGIN = first_hour()


def at(i):
    return BEGIN + i * HOUR


def week():
    """The water of each hour: values of SIGNALS."""
    noise = random.Random(11)
    level, on = 3.0, 0
    for i in range(ALL):
        day = 2 * math.pi * (i % 24) / 24
        use = [(40 - 22 * math.cos(day) + noise.gauss(0, 2)),
               (25 - 10 * math.cos(day - 0.6) + noise.gauss(0, 1.5))]
        if level < 1.5:
            on = 1
        elif level > 4:
            on = 0
        pump = 0 if RULE_AT <= i < RULE_AT + 16 else on
        flow = pump * (150 + noise.gauss(0, 1))
        drawn = 35 if DRAWN_AT <= i < DRAWN_AT + 8 else 0
        pressure = 28 + level - 0.0006 * sum(use) ** 1.85 + noise.gauss(0, .05)
        off = 0.8 if METER_AT <= i < METER_AT + 10 else 0
        yield (level + noise.gauss(0, .004), pump,
               flow and flow + noise.gauss(0, .5), use[0], use[1],
               pressure - drawn / 20 + off)
        level = max(0.2, level + (flow - sum(use) - drawn) / 260)


WATER = [tuple(round(v, 3) for v in row) for row in week()]


def rows(zone, which):
    return "".join(
        f"{zone}-{node},{metric},{at(i).isoformat()},{value}\n" for i in which
        for (node, metric, _), value in zip(SIGNALS, WATER[i]))


def node(zone, i):
    return f"{zone}-{SIGNALS[i][0]}"


@pytest.fixture(scope="module")
def judged():
    # Of its own: what others import would have it wait, and it has a night.
    s = Service(PENSTOCK_LOOP_PERIOD=500, PENSTOCK_FIT_BUDGET=82000,
                PENSTOCK_SYSTEMS_A_WEEK=ALARMS * 3)
    try:
        s.start()
        for zone in ("SY-A", "SY-B"):
            for (name, metric, kind) in SIGNALS:
                make(s, zone, name, metric, kind)
            answer = put_controls(s, zone, INP)
            assert answer.status_code == 200, answer.text
            s.controls = answer.json()
        make(s, "SY-FEW", "T1", "level", "tank")
        make(s, "SY-FEW", "D1", "flow", "meter")
        send(s, rows("SY-A", range(LEARNT)) + rows("SY-B", range(LEARNT))
             + "".join(line for line in rows(
                 "SY-FEW", range(LEARNT - 9 * 24, LEARNT)).splitlines(True)
                 if "T1,level" in line or "D1,flow" in line))
        night(s)
        yield s
    finally:
        s.remove()


def make(service, zone, name, metric, kind):
    code = f"{zone}-{name}"
    if not service.sql("SELECT 1 FROM nodes WHERE code = %s", code):
        answer = service.call("POST", "/api/v1/nodes", "engineer", json={
            "code": code, "type": kind, "zone": zone})
        assert answer.status_code == 201, answer.text
    answer = service.call("POST", "/api/v1/series", "engineer",
                          json={"node": code, "metric": metric})
    assert answer.status_code == 201, answer.text


def put_controls(service, zone, text, who="engineer"):
    return service.call(
        "PUT", f"/api/v1/zones/{zone}/controls", who,
        data=of_zone(zone, text).encode(),
        headers={"Content-Type": "text/plain"})


def of_zone(zone, text):
    """Its elements are called as its nodes are."""
    for name in ("PU1", "T1"):
        text = text.replace(f" {name} ", f" {zone}-{name} ")
    return text


def night(service):
    service.stop()
    service.env["PENSTOCK_FIT_AT"] = (
        datetime.datetime.now(UTC) - datetime.timedelta(minutes=1)
    ).strftime("%H:%M")
    service.start()
    wait_for("the zones are learnt", lambda: bool(
        service.sql("SELECT 1 FROM system_states WHERE fitted_at IS NOT NULL "
                    "OR reason IS NOT NULL HAVING count(*) = 3")), 120)


def system(service, zone):
    answer = service.call("GET", f"/api/v1/zones/{zone}/system", "viewer")
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(service, zone):
    """Its anomalies in full, the oldest first."""
    listed = service.call("GET", "/api/v1/anomalies", "viewer", params={
        "limit": 1000})
    assert listed.status_code == 200, listed.text
    return sorted((service.call("GET", f"/api/v1/anomalies/{a['id']}",
                                "viewer").json()
                   for a in listed.json()["items"]
                   if a["node"].startswith(zone + "-")
                   and a["type"] in ("joint", "manipulation")),
                  key=lambda a: (a["first_at"], a["id"]))


def when(text):
    return datetime.datetime.fromisoformat(text)


def state(service, zone):
    (row,) = service.sql(
        "SELECT t.told, t.upto, t.state FROM system_states t JOIN zones z "
        "ON z.id = t.zone_id WHERE z.code = %s", zone)
    # The rules are named in it.
    return row[0], row[1], bytes(row[2]).replace(zone.encode(), b"zone")


def judged_until(service, zone, i):
    """Until step i, that is not over before a later one is heard."""
    wait_for(f"{zone} is judged", lambda: state(service, zone)[0] == at(i),
             120)


def laboratory(folder):
    """Steps that alarm, and of each what explains it."""
    water = folder / "water.csv"
    water.write_text("node,metric,unit,ts,value\n" + "".join(
        f"{node},{metric},,{at(i).strftime('%Y-%m-%dT%H:%M:%SZ')},{value}\n"
        for i in range(ALL)
        for (node, metric, _), value in zip(SIGNALS, WATER[i])))
    (folder / "network.inp").write_text(INP)
    build = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))
    subprocess.run(
        [build / "src/cmd/penstock-lab", "detect", "--joint", "--input", water,
         "--alarms-a-week", str(ALARMS),
         "--network", folder / "network.inp", "--train-until",
         at(LEARNT - 1).strftime("%Y-%m-%dT%H:%M:%SZ"),
         "--output", folder / "out.csv", "--explain", folder / "why.csv"],
        check=True, timeout=120)
    with open(folder / "out.csv", encoding="utf-8") as f:
        steps = [when(row["ts"]) for row in csv.DictReader(f)
                 if row["alarm"] == "1"]
    with open(folder / "why.csv", encoding="utf-8") as f:
        return steps, list(csv.DictReader(f))


def spells(steps):
    """As the service joins them: first and last of each."""
    joined = []
    for t in steps:
        if joined and t - joined[-1][1] <= CALM * HOUR:
            joined[-1][1] = t
        else:
            joined.append([t, t])
    return joined


def test_understands_a_network_file(judged):
    said = judged.controls
    assert (said["zone"], said["unit"], said["learnt"]) == ("SY-B", "m", False)
    assert [tuple(c.values()) for c in said["controls"]] == [
        ("SY-B-PU1", "open", "SY-B-T1", "below", 1.5, "SY-B-PU1/status",
         "SY-B-T1/level"),
        ("SY-B-PU1", "closed", "SY-B-T1", "above", 4, "SY-B-PU1/status",
         "SY-B-T1/level"),
        ("V7", "closed", "SY-B-T1", "above", 4.5, None, "SY-B-T1/level")]
    answer = judged.call("GET", "/api/v1/zones/SY-B/controls", "viewer")
    assert answer.json() == {**said, "learnt": True}
    # Of a zone that is not judged, so that the others stay as they are.
    for text, many in ((INP, 3), ("", 0)):
        answer = put_controls(judged, "SY-FEW", text)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["controls"]) == many
    assert put_controls(judged, "SY-NONE", INP).status_code == 404
    assert put_controls(judged, "SY-FEW", INP, "operator").status_code == 403


def test_learns_a_zone_or_says_why_not(judged):
    said = system(judged, "SY-A")
    assert (said["state"], said["reason"], said["step_s"], said["controls"]) \
        == ("judging", None, 3600, 3)
    assert [(s["node"], s["metric"]) for s in said["signals"]] == [
        (node("SY-A", i), metric) for i, (_, metric, _) in enumerate(SIGNALS)]
    assert when(said["learnt_from"]) == at(0)
    assert when(said["learnt_to"]) == at(LEARNT - 1)
    said = system(judged, "SY-FEW")
    assert (said["state"], said["reason"]) == (
        "learning", "it has readings of 8 days; 14 are needed")
    assert judged.call("GET", "/api/v1/zones/SY-NONE/system",
                       "viewer").status_code == 404


def test_tells_what_the_laboratory_tells(judged, tmp_path):
    send(judged, rows("SY-A", range(LEARNT, ALL)))
    judged_until(judged, "SY-A", ALL - 1)
    anomalies = found(judged, "SY-A")
    steps, why = laboratory(tmp_path)
    # Its last hour is not over for the service.
    steps = [t for t in steps if t < at(ALL - 1)]
    assert [[when(a["first_at"]), when(a["last_at"])]
            for a in anomalies] == spells(steps)
    for a in anomalies:
        assert a["evidence"]["zone"] == "SY-A"
        assert a["evidence"]["since"] == a["first_at"]
        newest = [w for w in why if when(w["ts"]) == when(a["last_at"])]
        assert [(p["node"], p["metric"], p["rule"], round(p["share"], 3))
                for p in sorted(a["evidence"]["contributions"],
                                key=lambda p: (p["node"], p["metric"]))] == [
            ("SY-A-" + w["node"], w["metric"], w["rule"], float(w["share"]))
            for w in sorted(newest, key=lambda w: (w["node"], w["metric"]))]


def test_tells_what_it_looks_like(judged):
    rule, meter, drawn = found(judged, "SY-A")
    assert (rule["type"], rule["severity"], rule["rule"], rule["node"],
            rule["metric"]) == ("manipulation", "warning", "system:control",
                                "SY-A-PU1", "status")
    assert at(RULE_AT) <= when(rule["first_at"]) < at(RULE_AT + 16)
    assert rule["evidence"]["looks_like"] == "suspected manipulation"
    # What it was told for stays, though its last steps only tell what followed.
    begun = rule["evidence"]["first"]
    assert begun["rule"] == "system:control" and begun["score"] > 0.5
    assert begun["contributions"][0]["control"].startswith("SY-A-PU1 is ")
    assert (meter["type"], meter["node"], meter["evidence"]["looks_like"]) == (
        "joint", "SY-A-J1", "sensor fault")
    assert at(METER_AT) <= when(meter["first_at"]) < at(METER_AT + 2)
    assert (drawn["type"], drawn["evidence"]["looks_like"]) == (
        "joint", "process event")
    assert at(DRAWN_AT) <= when(drawn["first_at"]) < at(DRAWN_AT + 4)
    assert [a["state"] for a in (rule, meter, drawn)] == ["cleared"] * 3
    newest = system(judged, "SY-A")["newest"]
    assert when(newest["ts"]) == at(ALL - 2)
    assert 0 <= newest["score"] < 0.5 and newest["contributions"] == []


def test_a_kill_makes_no_difference(judged):
    """Two zones with the same water: one hears of it in parts, and the service
    is killed between, while something is open."""
    send(judged, rows("SY-B", range(LEARNT, HALF)))
    judged_until(judged, "SY-B", HALF - 1)
    said = system(judged, "SY-B")
    assert said["newest"]["score"] > 0.5 and said["newest"]["contributions"]
    assert found(judged, "SY-B")[-1]["id"] == said["anomaly"]
    judged.kill("kore")
    judged.start()
    readings = [{"node": line.split(",")[0], "metric": line.split(",")[1],
                 "ts": line.split(",")[2], "value": float(line.split(",")[3])}
                for line in rows("SY-B", range(HALF, ALL)).splitlines()]
    for i in range(0, len(readings), 600):
        answer = judged.call("POST", "/api/v1/readings", "device",
                             json={"readings": readings[i:i + 600]})
        assert answer.json()["rejected"] == 0, answer.text
    judged_until(judged, "SY-B", ALL - 1)
    assert state(judged, "SY-B") == state(judged, "SY-A")
    assert [same(a, "SY-B") for a in found(judged, "SY-B")] == [
        same(a, "SY-A") for a in found(judged, "SY-A")]


def same(anomaly, zone):
    kept = {k: anomaly[k] for k in (
        "type", "severity", "rule", "state", "node", "metric", "first_at",
        "last_at", "cleared_at", "value", "evidence")}
    return json.loads(json.dumps(kept).replace(zone, "zone"))
