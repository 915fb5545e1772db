"""Alarms of one neighbourhood are one incident, the likely root first; and the
figures of what alarms ask of people."""
import datetime
import json

import pytest

from test_decisions import j, make_anomaly, refused

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)


def minutes(n):
    return NOW + datetime.timedelta(minutes=n)


@pytest.fixture
def line(db):
    """Series of five nodes in a row, the water flowing from I-0 to I-4, and of
    one far away."""
    for i in range(5):
        db.run("nodes_create", j(code=f"I-{i}", type="junction", zone="I-Z",
                                 series=[{"metric": "pressure"}]))
    for i in range(4):
        db.run("links_create", j(code=f"I-P{i}", type="pipe",
                                 from_node=f"I-{i}", to_node=f"I-{i + 1}"))
    db.run("nodes_create", j(code="I-FAR", type="junction",
                             series=[{"metric": "pressure"}]))
    return [row[0] for row in db.sql(
        "SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id"
        " WHERE n.code LIKE 'I-%%' ORDER BY n.id")]


def raise_(db, series, at, first=None):
    """As the loop leaves it, in the cycle of that time."""
    a = make_anomaly(db, series)
    db.sql("UPDATE anomalies SET alarm_state = 'unacknowledged',"
           " alarm_at = %s, first_at = %s WHERE id = %s", at, first or at, a)
    db.sql("INSERT INTO transitions (subject, subject_id, row_id, from_state,"
           " to_state, at, actor, knowledge_version) VALUES ('alarm', %s,"
           " 'L1', 'normal', 'unacknowledged', %s, 'loop', 7)", a, at)
    db.run("cycle_incidents", at)
    return a


def incident_of(db, a):
    return db.sql("SELECT incident_id FROM anomalies WHERE id = %s", a)[0][0]


def test_a_flood_is_one_incident_with_its_root(db, line):
    a2 = raise_(db, line[2], minutes(0), minutes(-1) + datetime.timedelta(
        seconds=30))
    a1 = raise_(db, line[1], minutes(1), minutes(-1) + datetime.timedelta(
        seconds=40))
    assert incident_of(db, a1) is None, "two are no flood"
    a3 = raise_(db, line[3], minutes(2))
    one = incident_of(db, a3)
    assert one and incident_of(db, a1) == incident_of(db, a2) == one
    body = db.body("incidents_get", one)
    assert (body["root"], body["alarms"], body["live"]) == (a1, 3, 3)
    assert "upstream" in body["root_reason"]
    assert [m["id"] for m in body["members"]][0] == a1
    far = raise_(db, line[5], minutes(3))
    assert incident_of(db, far) is None
    late = raise_(db, line[4], minutes(30))
    assert incident_of(db, late) is None
    assert body["id"] in [i["id"] for i in db.body(
        "incidents_list", "true", 100, None)["items"]]


def test_an_incident_ends_with_its_last_alarm(db, line):
    ids = [raise_(db, s, minutes(i)) for i, s in enumerate(line[:3])]
    one = incident_of(db, ids[0])
    db.sql("UPDATE anomalies SET alarm_state = 'normal' WHERE id = ANY (%s)",
           ids[:2])
    db.run("cycle_incidents", minutes(4))
    assert db.body("incidents_get", one)["closed_at"] is None
    db.sql("UPDATE anomalies SET alarm_state = 'normal' WHERE id = %s",
           ids[2])
    db.run("cycle_incidents", minutes(5))
    assert db.body("incidents_get", one)["closed_at"]
    assert incident_of(db, raise_(db, line[3], minutes(6))) is None


def test_two_incidents_that_meet_are_one(db, line):
    for i, moved in enumerate((0, 0, 0, 4, 4, 4)):
        kind = ("threshold", "rate", "outlier")[i % 3]
        a = make_anomaly(db, line[moved], state="cleared")
        db.sql("UPDATE anomalies SET type = %s, alarm_state ="
               " 'returned_unacknowledged', first_at = %s WHERE id = %s",
               kind, minutes(i), a)
        db.sql("INSERT INTO transitions (subject, subject_id, row_id,"
               " from_state, to_state, at, actor, knowledge_version) VALUES"
               " ('alarm', %s, 'L1', 'normal', 'unacknowledged', %s, 'loop',"
               " 7)", a, minutes(i))
        db.run("cycle_incidents", minutes(i))
    both = db.sql("SELECT DISTINCT incident_id FROM anomalies a WHERE"
                  " series_id = ANY (%s) ORDER BY 1", line)
    assert len(both) == 2
    raise_(db, line[2], minutes(7))
    left, = db.sql("SELECT DISTINCT incident_id FROM anomalies a WHERE"
                   " series_id = ANY (%s)", line)
    assert left == both[0]
    assert db.body("incidents_get", both[1][0])["merged_into"] == both[0][0]


def test_figures(db, line):
    db.sql("INSERT INTO zones (code) VALUES ('I-Y')")
    db.sql("INSERT INTO users (username, password_hash, role, zone_ids)"
           " SELECT 'i-' || lower(code), 'x', 'operator', ARRAY[id]"
           " FROM zones WHERE code IN ('I-Z', 'I-Y')")
    ids = []
    for i in range(12):
        a = make_anomaly(db, line[i % 5], state="cleared")
        ids.append(a)
        db.sql("INSERT INTO transitions (subject, subject_id, row_id,"
               " from_state, to_state, at, actor, knowledge_version) VALUES"
               " ('alarm', %s, 'L1', 'normal', 'unacknowledged', %s, 'loop',"
               " 7)", a, NOW + datetime.timedelta(seconds=i))
    db.sql("INSERT INTO transitions (subject, subject_id, row_id, from_state,"
           " to_state, at, actor, knowledge_version) VALUES ('alarm', %s,"
           " 'L2', 'unacknowledged', 'acknowledged', %s, 'x', 7)", ids[0],
           minutes(1))
    body = db.body("alarm_figures", NOW, minutes(60))
    loads = {o["operator"]: o for o in body["operators"]}
    assert body["all"]["alarms"] == 12
    assert (loads["i-i-z"]["alarms"], loads["i-i-z"]["per_10_min"],
            loads["i-i-z"]["most_per_10_min"],
            loads["i-i-z"]["share_of_time_in_flood"],
            loads["i-i-z"]["share_of_alarms_in_flood"]) == (
                12, 2, 12, 0.1667, 1)
    assert (loads["i-i-y"]["alarms"],
            loads["i-i-y"]["share_of_alarms_in_flood"]) == (0, 0)
    assert (body["acknowledged"], body["acknowledged_after_s_p50"]) == (1, 60)
    a = make_anomaly(db, line[0])
    for state, name in (("acknowledged", "stale_acknowledged"),
                        ("unacknowledged", "stale_unacknowledged")):
        before = db.body("alarm_figures", None, None)[name]
        db.sql("UPDATE anomalies SET alarm_state = %s, alarm_at = now() -"
               " interval '25 h' WHERE id = %s", state, a)
        assert db.body("alarm_figures", None, None)[name] == before + 1
    refused(db, 422, "/from", "31 days", "alarm_figures", NOW,
            NOW + datetime.timedelta(days=32))
    assert json.dumps(body)
