"""POST and GET of readings, as a sensor and a dashboard see them."""

import datetime
import itertools

import pytest

from support.service import wait_for

codes = (f"R-{i}" for i in itertools.count())
UTC = datetime.timezone.utc


@pytest.fixture
def node(service):
    code = next(codes)
    service.make_series(code, "pressure", "flow", zone="READINGS")
    return code


def post(service, body, role="device", **arguments):
    return service.call("POST", "/api/v1/readings", role, json=body,
                        **arguments)


def reading(node, ts="2024-05-01T00:00:00Z", value=30, **more):
    return {"node": node, "metric": "pressure", "ts": ts, "value": value,
            **more}


def stored(service, node):
    return service.sql(
        "SELECT ts, value, unit FROM readings WHERE node = %s ORDER BY ts",
        node)


def test_accepted_means_committed(service, node):
    answer = post(service, reading(node))
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": 0,
                             "items": []}
    assert stored(service, node) == [
        (datetime.datetime(2024, 5, 1, tzinfo=UTC), 30.0, "m")]


def test_same_again_is_a_duplicate_another_value_a_conflict(service, node):
    post(service, reading(node))
    for _ in range(2):  # from the log, and after the merge from segments
        again = post(service, {"readings": [reading(node)]}).json()
        assert (again["duplicates"], again["accepted"]) == (1, 0)
        other = post(service,
                     {"readings": [reading(node, value=31)]}).json()
        assert other["rejected"] == 1
        assert other["items"][0]["reason"] == "conflict"
        wait_for("the merge", lambda: service.sql(
            "SELECT 1 FROM readings WHERE node = %s AND merged", node))
    assert [v for _, v, _ in stored(service, node)] == [30.0]


def test_repeats_within_one_body(service, node):
    said = post(service, {"readings": [
        reading(node), reading(node), reading(node, value=31)]}).json()
    assert (said["accepted"], said["duplicates"], said["rejected"]) == \
        (1, 1, 1)
    assert [(i["index"], i["status"]) for i in said["items"]] == [
        (1, "duplicate"), (2, "rejected")]


@pytest.mark.parametrize("change, reason", [
    ({"node": "NOWHERE"}, "unknown_series"),
    ({"metric": "taste"}, "unknown_series"),
    ({"unit": "furlong"}, "bad_unit"),
    ({"unit": "m3/h"}, "bad_unit"),
    ({"value": 251}, "out_of_range"),
    ({"value": -10.5}, "out_of_range"),
    ({"ts": "yesterday"}, "bad_timestamp"),
    ({"ts": "2024-02-30T00:00:00Z"}, "bad_timestamp"),
    ({"ts": 1714521600}, "bad_timestamp"),
    ({"ts": "2999-01-01T00:00:00Z"}, "future"),
    ({"value": 1e999}, "not_finite"),
])
def test_each_rejection_names_its_reason(service, node, change, reason):
    bad = {**reading(node), **change}
    # requests writes infinity as a word; a sensor would write 1e999.
    text = str({"readings": [bad, reading(node)]}).replace("'", '"')
    answer = service.call(
        "POST", "/api/v1/readings", "device",
        data=text.replace("inf", "1e999"),
        headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["accepted"], said["rejected"]) == (1, 1)
    assert said["items"][0]["index"] == 0
    assert said["items"][0]["reason"] == reason
    assert said["items"][0]["detail"]


def test_a_single_bad_object_is_422(service, node):
    answer = post(service, reading(node, value=1000))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["reason"] == "out_of_range"


def test_malformed_json_stores_nothing_and_says_where(service, node):
    text = ('{"readings":[{"node":"%s","metric":"pressure","ts":'
            '"2024-05-01T00:00:00Z","value":30},{"node":}]}' % node)
    answer = service.call("POST", "/api/v1/readings", "device", data=text,
                          headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert any(c.isdigit() for c in answer.json()["detail"])
    assert stored(service, node) == []


def test_more_than_the_limit_is_413_naming_it(service, node):
    body = {"readings": [reading(node)] * 5001}
    answer = post(service, body)
    assert answer.status_code == 413
    assert "5000" in answer.text or "5,000" in answer.text
    assert stored(service, node) == []


def test_units_are_converted(service, node):
    post(service, {**reading(node), "metric": "flow", "value": 10,
                   "unit": "L/s"})
    post(service, reading(node, value=3, unit="bar"))
    values = {unit: value for _, value, unit in stored(service, node)}
    assert values["m3/h"] == pytest.approx(36)
    assert values["m"] == pytest.approx(30.5915, abs=1e-3)


def test_a_late_reading_is_stored_but_is_not_the_latest(service, node):
    post(service, reading(node, "2024-05-01T12:00:00Z", 40))
    post(service, reading(node, "2024-05-01T06:00:00Z", 20))
    for _ in range(2):  # before and after the merge
        latest = service.call(
            "GET", f"/api/v1/nodes/{node}/latest", "viewer").json()["items"]
        shown = {i["metric"]: i for i in latest}
        assert shown["pressure"]["value"] == 40
        assert shown["pressure"]["ts"] == "2024-05-01T12:00:00Z"
        assert shown["pressure"]["unit"] == "m"
        assert shown["pressure"]["source"] in ("hot", "warm")
        assert shown["flow"]["value"] is None
        wait_for("the merge", lambda: service.sql(
            "SELECT 1 FROM readings WHERE node = %s AND merged", node))
    assert len(stored(service, node)) == 2


def test_latest_of_all_nodes_in_one_call(service, node):
    post(service, reading(node))
    answer = service.call("GET", "/api/v1/latest", "viewer",
                          params={"zone": "READINGS", "metric": "pressure"})
    items = answer.json()["items"]
    assert node in {i["node"] for i in items}
    assert {i["metric"] for i in items} == {"pressure"}


def test_pages_follow_one_another_without_gap(service, node):
    times = [f"2024-05-01T00:{m:02d}:00Z" for m in range(25)]
    post(service, {"readings": [reading(node, t, 20 + i)
                                for i, t in enumerate(times)]})
    seen, cursor, pages = [], None, 0
    while True:
        answer = service.call("GET", "/api/v1/readings", "viewer", params={
            "node": node, "metric": "pressure", "limit": 10,
            "from": times[0], "to": "2024-05-02T00:00:00Z",
            **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen += [i["ts"] for i in page["items"]]
        pages += 1
        cursor = page["next"]
        if cursor is None:
            break
        assert pages < 5
    assert seen == times
    assert pages == 3


def hours(start, end):
    t = datetime.datetime.fromisoformat(start)
    while t < datetime.datetime.fromisoformat(end):
        yield t.strftime("%Y-%m-%dT%H:%M:%SZ")
        t += datetime.timedelta(hours=1)


@pytest.mark.parametrize("day, after, count", [
    ("2024-03-31", "2024-04-01", 23),  # clocks go forward in Rome
    ("2024-10-27", "2024-10-28", 25),  # and back
    ("2024-06-01", "2024-06-02", 24),
])
def test_a_day_in_rome_has_its_own_length(service, node, day, after, count):
    around = list(hours(
        (datetime.date.fromisoformat(day)
         - datetime.timedelta(days=1)).isoformat() + "T00:00:00+00:00",
        (datetime.date.fromisoformat(after)
         + datetime.timedelta(days=1)).isoformat() + "T00:00:00+00:00"))
    post(service, {"readings": [reading(node, t, 30) for t in around]})
    for _ in range(2):  # from the log, and from roll-ups or segments
        answer = service.call("GET", "/api/v1/readings", "viewer", params={
            "node": node, "metric": "pressure", "bucket": "1d",
            "agg": "count,avg", "tz": "Europe/Rome",
            "from": around[0], "to": around[-1]})
        assert answer.status_code == 200, answer.text
        days = {i["ts"][:10]: i for i in answer.json()["items"]}
        assert days[day]["count"] == count
        assert days[day]["avg"] == pytest.approx(30)
        wait_for("the merge", lambda: service.sql(
            "SELECT 1 FROM readings WHERE node = %s AND merged", node))


def test_buckets_equal_a_recomputation(service, node):
    times = list(hours("2024-07-01T00:00:00+00:00",
                       "2024-07-03T00:00:00+00:00"))
    values = [20 + (i * 7) % 11 for i in range(len(times))]
    post(service, {"readings": [reading(node, t, v)
                                for t, v in zip(times, values)]})
    for _ in range(2):
        items = service.call("GET", "/api/v1/readings", "viewer", params={
            "node": node, "metric": "pressure", "bucket": "6h",
            "agg": "avg,min,max,sum,count", "from": times[0],
            "to": "2024-07-03T00:00:00Z"}).json()["items"]
        assert len(items) == 8
        for i, item in enumerate(items):
            part = values[6 * i:6 * i + 6]
            assert item["count"] == 6
            assert item["sum"] == pytest.approx(sum(part))
            assert item["avg"] == pytest.approx(sum(part) / 6)
            assert (item["min"], item["max"]) == (min(part), max(part))
        wait_for("the merge", lambda: service.sql(
            "SELECT 1 FROM readings WHERE node = %s AND merged", node))


def test_an_unknown_zone_of_time_is_refused(service, node):
    answer = service.call("GET", "/api/v1/readings", "viewer", params={
        "node": node, "metric": "pressure", "bucket": "1d", "agg": "avg",
        "tz": "Europe/Atlantis"})
    assert answer.status_code == 422
    assert "Atlantis" in answer.text


def test_a_device_may_post_and_nothing_else(service, node):
    assert service.call("GET", "/api/v1/nodes", "device").status_code == 403
    assert post(service, reading(node), "viewer").status_code == 403
    assert post(service, reading(node), None).status_code == 401


def test_series_is_known_at_once_to_every_worker(service):
    """Many connections, so that both workers are asked."""
    for _ in range(10):
        code = next(codes)
        service.make_series(code, "pressure")
        for _ in range(4):
            answer = post(service, reading(code))
            assert answer.status_code == 200, answer.text


def test_retired_node_takes_no_readings_but_keeps_its_own(service, node):
    post(service, reading(node))
    assert service.call("DELETE", f"/api/v1/nodes/{node}",
                        "engineer").status_code == 204
    # A response with an error status is false, so it goes in a tuple.
    answer, = wait_for("retirement seen by the workers", lambda: next(
        ((a,) for a in [post(service, reading(node, "2024-05-02T00:00:00Z"))]
         if a.status_code != 200), None))
    assert answer.status_code == 422
    assert len(stored(service, node)) >= 1
