"""What people do to alarms: each act, each refusal, and the table of rows."""
import json

import pytest

from scratch import Refused, run_c
from test_decisions import FSM, j, make_anomaly, refused, series  # noqa: F401

ALARM_FSM = FSM.replace("f->states[f->rows[i].from]", "word(f, i, 1)").replace(
    "f->states[f->rows[i].to]", "word(f, i, 0)").replace(
    "static void dump", "static const char *word(const struct fsm *f, "
    "size_t i, int from) { int s = from ? f->rows[i].from : f->rows[i].to; "
    "return (s == FSM_ANY ? \"-\" : f->states[s]); }\nstatic void dump")


@pytest.fixture
def alarm(db, series):  # noqa: F811
    return make_anomaly(db, series)


def act(db, what, alarm, who="ada", if_match=None, **body):
    return db.body(f"anomalies_{what}", alarm, json.dumps(body), who,
                   if_match)


def history(db, alarm):
    return [(t["row"], t["from"], t["to"], t["actor"]) for t in
            db.body("anomalies_get", alarm)["alarm_transitions"]]


def test_the_rows_equal_the_table(db, tmp_path):
    rows = run_c(tmp_path, ALARM_FSM % ("alarm", "dump(&alarm_fsm);"))
    assert len(rows) > 40
    assert [tuple(None if w == "-" else w for w in row) for row in rows] == (
        db.sql("SELECT id, from_state, event, to_state FROM alarm_rows"
               " ORDER BY substr(id, 2)::int"))


def test_states_equal_the_table(db, tmp_path):
    rows = run_c(tmp_path, FSM % (
        "alarm", "(void)dump; for (size_t i = 0; i < alarm_fsm.nstates; i++)"
        " puts(alarm_fsm.states[i]);"))
    check = db.sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                   "WHERE conname = 'anomalies_alarm_state_check'")[0][0]
    assert set(check.split("'")[1::2]) == {row[0] for row in rows}


def test_no_history_without_a_row(db, alarm):
    for row, start, end in (("L2", "normal", "acknowledged"),
                            ("L1", "normal", "shelved"), ("L999", "x", "x")):
        with pytest.raises(Exception, match="no row"):
            db.sql("INSERT INTO transitions (subject, subject_id, row_id,"
                   " from_state, to_state, at, actor, knowledge_version)"
                   " VALUES ('alarm', %s, %s, %s, %s, now(), 'x', 1)",
                   alarm, row, start, end)
        db.connection.rollback()


def test_what_is_not_yet_raised_is_raised_first(db, alarm):
    body = act(db, "ack", alarm, note="on it")
    assert (body["alarm_state"], body["acked_by"]) == ("acknowledged", "ada")
    assert history(db, alarm) == [
        ("L1", "normal", "unacknowledged", "loop"),
        ("L2", "unacknowledged", "acknowledged", "ada")]


def test_shelve_and_unshelve(db, alarm):
    refused(db, 422, "/for_s", "28800", "anomalies_shelve", alarm,
            j(for_s=28801, reason="x"), "ada", None)
    body = act(db, "shelve", alarm, for_s=600, reason="valve works")
    assert body["alarm_state"] == "shelved" and body["shelved_until"]
    refused(db, 409, "", "is shelved", "anomalies_shelve", alarm,
            j(for_s=5, reason="x"), "ada", None)
    refused(db, 409, "", "is shelved", "anomalies_ack", alarm, "{}", "ada",
            None)
    body = act(db, "unshelve", alarm)
    assert (body["alarm_state"], body["shelved_until"]) == (
        "unacknowledged", None)
    assert [row for row, *_ in history(db, alarm)] == ["L1", "L14", "L18"]
    facts = db.body("anomalies_get", alarm)["alarm_transitions"][1]["facts"]
    assert facts["reason"] == "valve works" and facts["until"]


def test_resolve(db, alarm):
    refused(db, 409, "", "still there", "anomalies_resolve", alarm, "{}",
            "ada", None)
    db.sql("UPDATE anomalies SET state = 'cleared', alarm_state = 'latched'"
           " WHERE id = %s", alarm)
    assert act(db, "resolve", alarm, note="dug up")["alarm_state"] == "normal"
    refused(db, 409, "", "is normal", "anomalies_resolve", alarm, "{}", "ada",
            None)


def test_one_that_latches_is_acknowledged_into_the_latch(db, alarm):
    db.run("alarm_classes_change", "critical", j(latching=True), None)
    db.sql("UPDATE anomalies SET state = 'cleared', alarm_state ="
           " 'returned_unacknowledged' WHERE id = %s", alarm)
    assert act(db, "ack", alarm)["alarm_state"] == "latched"


def test_comment_and_assign(db, alarm):
    db.sql("INSERT INTO users (username, password_hash, role) VALUES"
           " ('t-eve', 'x', 'operator')")
    body = act(db, "comment", alarm, text="looks odd")
    assert (body["comment"], body["alarm_state"]) == (
        "looks odd", "unacknowledged")
    assert act(db, "assign", alarm, to="t-eve")["assigned_to"] == "t-eve"
    refused(db, 422, "/to", "no user nobody", "anomalies_assign", alarm,
            j(to="nobody"), "ada", None)
    refused(db, 422, "/to", "missing", "anomalies_assign", alarm, "{}", "ada",
            None)
    assert act(db, "assign", alarm, to=None)["assigned_to"] is None
    assert [row for row, *_ in history(db, alarm)] == [
        "L1", "L40", "L41", "L41"]


def test_out_of_service_and_back(db, alarm):
    body = act(db, "take_out", alarm, reason="broken")
    assert body["alarm_state"] == "out_of_service"
    hold, = db.body("alarm_holds_list", "out_of_service", "true", 100,
                    None)["items"]
    assert (hold["node"], hold["metric"], hold["held"], hold["reason"]) == (
        "T-B", "flow", 1, "broken")
    assert act(db, "put_back", alarm)["alarm_state"] == "unacknowledged"
    assert db.body("alarm_holds_get", hold["id"])["ended_by"] == "ada"


def test_if_match(db, alarm):
    version = db.run("anomalies_get", alarm)[0][1]
    act(db, "comment", alarm, if_match=version, text="first")
    refused(db, 412, "", "version", "anomalies_comment", alarm,
            j(text="second"), "ada", version)


@pytest.mark.parametrize("body, status, pointer, words", [
    ({"to": "2999-01-01T00:00:00Z"}, 422, "/node", "a node or a zone"),
    ({"node": "T-B", "zone": "T-Z", "to": "2999-01-01T00:00:00Z"}, 422,
     "/node", "a node or a zone"),
    ({"zone": "T-X", "to": "2999-01-01T00:00:00Z"}, 422, "/zone",
     "no zone T-X"),
    ({"node": "T-X", "to": "2999-01-01T00:00:00Z"}, 422, "/node",
     "no node T-X"),
    ({"node": "T-B", "to": "2020-01-01T00:00:00Z"}, 422, "/to", "not after"),
    ({"node": "T-B", "to": "2999-01-01T00:00:00Z"}, 422, "/to", "31 days"),
])
def test_maintenance_refusals(db, series, body, status, pointer,  # noqa: F811
                              words):
    refused(db, status, pointer, words, "alarm_holds_create", "maintenance",
            json.dumps(body | {"reason": "x"}), "ada")


def test_maintenance_is_ended_once(db, alarm):
    to = db.sql("SELECT rfc3339(now() + interval '1 h')")[0][0]
    hold = db.body("alarm_holds_create", "maintenance",
                   j(zone="T-Z", to=to, reason="pump works"), "ada")
    assert (hold["zone"], hold["held"], hold["ended_at"]) == ("T-Z", 0, None)
    assert db.body("alarm_holds_end", hold["id"], "bob")["ended_by"] == "bob"
    refused(db, 409, "", "ended at", "alarm_holds_end", hold["id"], "bob")
    refused(db, 404, "", "no hold", "alarm_holds_end", 99999999, "bob")


@pytest.mark.parametrize("what, body", [
    ("ack", {}), ("comment", {"text": "x"}), ("assign", {"to": None}),
    ("shelve", {"for_s": 5, "reason": "x"}), ("take_out", {"reason": "x"})])
def test_who_is_bound_by_zones_acts_within_them(db, alarm, what, body):
    db.sql("INSERT INTO users (username, password_hash, role, zone_ids)"
           " VALUES ('t-kim', 'x', 'operator', '{}')")
    refused(db, 403, "", "not within the zones", f"anomalies_{what}", alarm,
            json.dumps(body), "t-kim", None)


def test_classes(db):
    items = db.body("alarm_classes_list")["items"]
    assert [c["severity"] for c in items] == ["info", "warning", "critical"]
    body, etag = db.run("alarm_classes_get", "warning")[0]
    changed, newer, _ = db.run("alarm_classes_change", "warning", j(
        escalate_after_s=None, climb_after_s=60, latching=True), etag)[0]
    assert changed == body | {"escalate_after_s": None, "climb_after_s": 60,
                              "latching": True}
    assert newer != etag
    refused(db, 412, "", "version", "alarm_classes_change", "warning", "{}",
            etag)
    with pytest.raises(Refused):
        db.run("alarm_classes_change", "none", "{}", None)
