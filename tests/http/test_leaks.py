"""A leak from the roll-ups of hours to its end: told with its evidence, seen in
the night flow, cleared when it is mended or a person resolves it."""
import datetime
import math
import zoneinfo

import pytest

from support.service import Service, wait_for

UTC = datetime.timezone.utc
CLOCK = zoneinfo.ZoneInfo("Europe/Rome")
HOUR = datetime.timedelta(hours=1)
DAY = 24
LEAK_AT, MENDED_AT, HALF = 49 * DAY + 10, 53 * DAY + 9, 52 * DAY
SIZE = 20


@pytest.fixture(scope="module")
def leaky():
    # Of its own: what others import would have it wait, and it has a clock.
    s = Service(PENSTOCK_LOOP_PERIOD=500, PENSTOCK_ZONE=CLOCK.key)
    try:
        s.start()
        yield s
    finally:
        s.remove()


def hours():
    """Eight weeks up to three hours ago, from a midnight of the wall's."""
    end = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    t = (end - 57 * DAY * HOUR).astimezone(CLOCK).replace(hour=0)
    t = t.astimezone(UTC)
    while t < end - 3 * HOUR:
        yield t
        t += HOUR


TIMES = list(hours())


def flow(i, until):
    """People live by the clock on the wall, and are not all alike."""
    hour = TIMES[i].astimezone(CLOCK).hour
    noise = (i * 7919 + i // DAY * 104729) % 101 / 50 - 1
    leak = SIZE if LEAK_AT <= i < until else 0
    return round(100 - 50 * math.cos((hour - 3) / 12 * math.pi)
                 + 3 * noise + leak, 3)


def make(service, node, zone):
    service.make_series(node, "flow", type="dma", zone=zone)


def rows(node, which, until):
    return "".join(f"{node},flow,{TIMES[i].isoformat()},{flow(i, until)}\n"
                   for i in which)


def send(service, text):
    """A file of history, in one part."""
    def call(method, path, **more):
        answer = service.call(method, path, "engineer", **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    number = call("POST", "/api/v1/imports", json={})["id"]
    said = call("PUT", f"/api/v1/imports/{number}/parts/0",
                data=("node,metric,ts,value\n" + text).encode(),
                headers={"Content-Type": "text/csv"})
    assert (said["rejected"], said["accepted"]) == (0, text.count("\n"))
    call("POST", f"/api/v1/imports/{number}/finish")


def leaks(service, node):
    answer = service.call("GET", "/api/v1/anomalies", "viewer",
                          params={"node": node})
    assert answer.status_code == 200, answer.text
    return [a for a in answer.json()["items"] if a["type"] == "leak"]


def state(service, node):
    found = service.sql(
        "SELECT t.upto, t.state FROM leak_states t JOIN series s ON s.id = "
        "t.lead JOIN nodes n ON n.id = s.node_id WHERE n.code = %s", node)
    return found and found[0][1] is not None and (
        found[0][0], bytes(found[0][1]))


def judged(service, node, upto):
    return wait_for(f"{node} judged until {upto}", lambda: (
        state(service, node) or (None,))[0] == upto and state(service, node),
        120)


def upto(i):
    """Of what ends with that hour, which is not over until a later is heard."""
    return TIMES[i]


def night_flow(service, zone):
    answer = service.call("GET", f"/api/v1/zones/{zone}/night-flow", "viewer")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tells_a_leak_and_shows_its_nights(leaky):
    make(leaky, "LK-OPEN", "lk-open")
    send(leaky, rows("LK-OPEN", range(len(TIMES)), len(TIMES)))
    judged(leaky, "LK-OPEN", upto(-1))
    one, = leaks(leaky, "LK-OPEN")
    assert (one["state"], one["metric"], one["direction"], one["severity"],
            one["rule"]) == ("open", "flow", "high", "warning", "leak:step")
    since = datetime.datetime.fromisoformat(one["first_at"])
    assert abs(since - TIMES[LEAK_AT]) <= 3 * HOUR
    found = leaky.call("GET", f"/api/v1/anomalies/{one['id']}",
                       "viewer").json()["evidence"]
    lasted = len(TIMES) - 1 - LEAK_AT
    assert (found["kind"], found["unit"], found["zone"], found["meters"]) == (
        "step", "m3/h", "lk-open", ["LK-OPEN/flow"])
    assert found["size"] == pytest.approx(SIZE, abs=4)
    assert found["volume_m3"] == pytest.approx(SIZE * lasted, rel=0.3)
    assert found["night_flow"] > found["usual_night_flow"] + SIZE / 2
    assert 0 < found["confidence"] < 1
    assert found["value"] - found["expected"] == pytest.approx(SIZE, abs=4)
    assert 0 < found["band"] < SIZE
    part, = found["contributions"]
    assert (part["node"], part["metric"], part["share"]) == (
        "LK-OPEN", "flow", 1)
    assert (part["before"], part["after"]) == (
        found["expected"], found["value"])

    said = night_flow(leaky, "lk-open")
    area, = said["areas"]
    assert (said["night_use"], area["meters"]) == (None, ["LK-OPEN/flow"])
    assert len(area["nights"]) == 35
    first, last = area["nights"][0], area["nights"][-1]
    ago = TIMES[-1].astimezone(CLOCK).date() - datetime.date.fromisoformat(
        last["date"])
    assert datetime.timedelta(0) <= ago <= 2 * DAY * HOUR
    assert last["least"] <= last["mean"]
    assert last["mean"] > last["usual"] + SIZE / 2
    assert abs(first["mean"] - first["usual"]) < SIZE / 4
    assert area["leak"]["anomaly"] == one["id"]
    assert area["leak"]["since"] == one["first_at"]
    assert area["leak"]["volume_m3"] > 0


def test_says_where_pressure_fell_and_what_a_neighbour_lost(leaky):
    """Two zones with one link between them; the first loses what the second
    gains. A third has a leak, and pressure that falls with it."""
    make(leaky, "LK-LOST", "lk-west")
    make(leaky, "LK-GAIN", "lk-east")
    make(leaky, "LK-PRES", "lk-south")
    leaky.make_series("LK-W", zone="lk-west")
    leaky.make_series("LK-E", zone="lk-east")
    leaky.make_series("LK-P", "pressure", zone="lk-south")
    leaky.make_series("LK-Q", "pressure", zone="lk-south")
    answer = leaky.call("POST", "/api/v1/links", "engineer", json={
        "code": "LK-W-E", "type": "valve", "from_node": "LK-W",
        "to_node": "LK-E"})
    assert answer.status_code == 201, answer.text
    every = range(len(TIMES))
    text = rows("LK-GAIN", every, len(TIMES)) + rows(
        "LK-PRES", every, len(TIMES))
    for i in every:
        begun = i >= LEAK_AT
        for series, value in (
                ("LK-LOST,flow", flow(i, 0) - begun * SIZE),
                ("LK-P,pressure", 50 - i * 7919 % 101 / 100 - begun * 5),
                ("LK-Q,pressure", 45 - i * 7907 % 101 / 100)):
            text += f"{series},{TIMES[i].isoformat()},{value:.3f}\n"
    send(leaky, text)
    found = {}
    for node in ("LK-GAIN", "LK-PRES"):
        judged(leaky, node, upto(-1))
        one, = leaks(leaky, node)
        found[node] = leaky.call("GET", f"/api/v1/anomalies/{one['id']}",
                                 "viewer").json()["evidence"]
    assert found["LK-GAIN"]["looks_like"] == "boundary valve"
    assert "pressure_node" not in found["LK-GAIN"]
    assert found["LK-PRES"]["pressure_node"] == "LK-P"
    assert found["LK-PRES"]["pressure_change"] == pytest.approx(-5, abs=0.5)
    assert "looks_like" not in found["LK-PRES"]
    assert found["LK-PRES"]["confidence"] > found["LK-GAIN"]["confidence"]


def test_says_which_meter_told(leaky):
    """A zone with two inlets and an outlet: the leak is behind one of them."""
    for code, zone in (("SRC", None), ("IN", "lk-net"), ("IN2", "lk-net"),
                       ("MID", "lk-net"), ("OUT", "lk-net"),
                       ("END", "lk-end")):
        meter = code not in ("SRC", "MID", "END")
        leaky.make_series(f"LN-{code}", "flow" if meter else "level",
                          type="meter" if meter else "tank",
                          **({"zone": zone} if zone else {}))
    for one, other in (("SRC", "IN"), ("SRC", "IN2"), ("IN", "MID"),
                       ("IN2", "MID"), ("MID", "OUT"), ("OUT", "END")):
        answer = leaky.call("POST", "/api/v1/links", "engineer", json={
            "code": f"LN-{one}-{other}", "type": "pipe",
            "from_node": f"LN-{one}", "to_node": f"LN-{other}"})
        assert answer.status_code == 201, answer.text
    text = ""
    for i in range(len(TIMES)):
        for code, value in (("IN", 30 + i * 7919 % 101 / 100),
                            ("IN2", flow(i, len(TIMES))), ("OUT", 10)):
            text += f"LN-{code},flow,{TIMES[i].isoformat()},{value:.3f}\n"
    send(leaky, text)
    one, = wait_for("the zone's leak", lambda: [
        a for code in ("IN", "IN2") for a in leaks(leaky, f"LN-{code}")], 120)
    found = leaky.call("GET", f"/api/v1/anomalies/{one['id']}",
                       "viewer").json()["evidence"]
    parts = {p["node"]: p for p in found["contributions"]}
    assert found["contributions"][0]["node"] == "LN-IN2"
    assert set(parts) == {"LN-IN", "LN-IN2", "LN-OUT"}
    assert sum(p["share"] for p in parts.values()) == pytest.approx(1)
    assert parts["LN-IN2"]["share"] > 0.9
    assert (parts["LN-OUT"]["before"], parts["LN-OUT"]["share"]) == (
        pytest.approx(-10), pytest.approx(0, abs=0.001))
    for key, of in (("expected", "before"), ("value", "after")):
        assert found[key] == pytest.approx(
            sum(p[of] for p in parts.values()))


def test_a_zone_says_what_it_uses_at_night(leaky):
    make(leaky, "LK-USE", "lk-use")
    path = "/api/v1/zones/lk-use"
    for value in (4.5, None):
        answer = leaky.call("PATCH", path, "engineer",
                            json={"night_use": value})
        assert (answer.status_code, answer.json()["night_use"]) == (200, value)
        assert night_flow(leaky, "lk-use")["night_use"] == value
    area, = night_flow(leaky, "lk-use")["areas"]
    assert area == {"meters": ["LK-USE/flow"], "judged_until": None,
                    "leak": None, "nights": []}
    assert leaky.call("PATCH", "/api/v1/zones/none", "engineer",
                      json={"night_use": 1}).status_code == 404
    assert leaky.call("GET", "/api/v1/zones/none/night-flow",
                      "viewer").status_code == 404


def test_judges_on_where_a_restart_left_it(leaky):
    """One area has all its history at once, another in two halves with a
    restart between: they remember the same, byte by byte. The leak was mended:
    the one never told of it, the other clears what it told."""
    make(leaky, "LK-A", "lk-two")
    make(leaky, "LK-B", "lk-two")
    send(leaky, rows("LK-B", range(HALF), MENDED_AT))
    judged(leaky, "LK-B", upto(HALF - 1))
    told, = leaks(leaky, "LK-B")
    assert told["state"] == "open"
    leaky.stop()
    leaky.start()
    send(leaky, rows("LK-A", range(len(TIMES)), MENDED_AT))
    rest = [{"node": "LK-B", "metric": "flow", "ts": TIMES[i].isoformat(),
             "value": flow(i, MENDED_AT)} for i in range(HALF, len(TIMES))]
    answer = leaky.call("POST", "/api/v1/readings", "device",
                        json={"readings": rest})
    assert answer.json()["accepted"] == len(rest), answer.text
    assert judged(leaky, "LK-A", upto(-1)) == judged(leaky, "LK-B", upto(-1))
    told, = leaks(leaky, "LK-B")
    assert told["state"] == "cleared"
    assert leaks(leaky, "LK-A") == []
    assert [a["leak"] for a in night_flow(leaky, "lk-two")["areas"]] == [
        None, None]


def test_tells_what_began_and_ended_while_nothing_came(leaky):
    """A logger that was not heard for days; what an import brings is history,
    and stays silent."""
    make(leaky, "LK-LATE", "lk-late")
    before = 48 * DAY
    send(leaky, rows("LK-LATE", range(before), MENDED_AT))
    judged(leaky, "LK-LATE", upto(before - 1))
    assert leaks(leaky, "LK-LATE") == []
    late = [{"node": "LK-LATE", "metric": "flow", "ts": TIMES[i].isoformat(),
             "value": flow(i, MENDED_AT)} for i in range(before, len(TIMES))]
    answer = leaky.call("POST", "/api/v1/readings", "device",
                        json={"readings": late})
    assert answer.json()["accepted"] == len(late), answer.text
    judged(leaky, "LK-LATE", upto(-1))
    told, = leaks(leaky, "LK-LATE")
    assert (told["state"], told["rule"]) == ("cleared", "leak:step")
    detail = leaky.call("GET", f"/api/v1/anomalies/{told['id']}",
                        "viewer").json()
    assert detail["evidence"]["size"] == pytest.approx(SIZE, abs=4)
    assert detail["cleared_at"] < TIMES[-1].isoformat()
    assert night_flow(leaky, "lk-late")["areas"][0]["leak"] is None


def test_a_person_resolves_it_for_good(leaky):
    make(leaky, "LK-PERSON", "lk-person")
    send(leaky, rows("LK-PERSON", range(len(TIMES)), len(TIMES)))
    judged(leaky, "LK-PERSON", upto(-1))
    one, = leaks(leaky, "LK-PERSON")
    answer = leaky.call("POST", f"/api/v1/anomalies/{one['id']}/resolve",
                        "operator", json={"note": "The hydrant was open.",
                                          "reason": "no_leak"})
    assert (answer.status_code, answer.json()["state"]) == (200, "cleared")
    detail = leaky.call("GET", f"/api/v1/anomalies/{one['id']}",
                        "viewer").json()
    move = detail["transitions"][-1]
    assert (move["to"], move["facts"]["note"], move["facts"]["reason"]) == (
        "cleared", "The hydrant was open.", "no_leak")
    # History that comes has all judged anew.
    before = state(leaky, "LK-PERSON")
    send(leaky, f"LK-PERSON,flow,{(TIMES[5] + HOUR / 2).isoformat()},150\n")
    wait_for("judged anew", lambda: state(leaky, "LK-PERSON") not in (
        before, False, []), 120)
    assert [a["state"] for a in leaks(leaky, "LK-PERSON")] == ["cleared"]
    assert night_flow(leaky, "lk-person")["areas"][0]["leak"] is None
