"""Templates, anomalies, plans, the loop: good and bad input."""
import datetime
import json
import re
import threading

import psycopg2
import pytest

from scratch import ROOT, Refused, run_c

TEMPLATE = {
    "code": "T-T", "name": "Close the valve", "metric": "flow",
    "least_severity": "warning", "effect_window_s": 60,
    "effect_metric": "flow", "effect_direction": "low", "effect_least": 2,
    "actions": [
        {"step": 1, "action": "close_valve", "target_type": "valve",
         "target_relation": "inlet", "argument": {"percent": 100},
         "repeatable": True},
        {"step": 2, "action": "stop_pump", "target_type": "pump",
         "target_relation": "zone"}]}


def j(**members):
    return json.dumps(members)


def refused(db, status, pointer, words, name, *args):
    with pytest.raises(Refused) as caught:
        db.run(name, *args)
    got, detail, at = caught.value.args
    assert (got, at) == (status, pointer), detail
    assert words in detail


def make_template(db, **more):
    return db.run("templates_create", json.dumps(TEMPLATE | more), "eve")[0]


@pytest.fixture
def series(db):
    db.run("nodes_create", j(code="T-A", type="junction"))
    db.run("nodes_create", j(code="T-B", type="meter", zone="T-Z",
                             series=[{"metric": "flow"}]))
    db.run("gateways_create", j(code="T-G", url="http://127.0.0.1:9/"))
    db.run("links_create", j(code="T-V", type="valve", from_node="T-A",
                             to_node="T-B", gateway="T-G"))
    return db.sql("SELECT max(id) FROM series")[0][0]


@pytest.fixture
def anomaly(db, series):
    return make_anomaly(db, series)


def make_anomaly(db, series, severity="critical", state="open",
                 last="2026-01-01 10:00Z"):
    return db.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, value, limit_value, evidence,"
        " knowledge_version) VALUES (%s, 'threshold', 'high', %s, %s,"
        " 'threshold:1', '2026-01-01 09:00Z', %s, 'NaN', 45,"
        " '{\"limit\": 45}', 7) RETURNING id",
        series, severity, state, last)[0][0]


@pytest.fixture
def plan(db, anomaly, series):
    make_template(db)
    return make_plan(db, anomaly, series)


def make_plan(db, anomaly, series, state="proposed", life="1 h"):
    plan = db.sql(
        "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
        " expires_at, effect_series_id, effect_direction, effect_least,"
        " effect_window_s, command_life_s, reasons, knowledge_version)"
        " SELECT %s, id, %s, now(), clock_timestamp() + %s::interval, %s,"
        " 'low', 2, 60, 300, '{\"why\": \"it fits\"}', 7"
        " FROM plan_templates WHERE code = 'T-T' RETURNING id",
        anomaly, state, life, series)[0][0]
    db.sql(
        "INSERT INTO commands (plan_id, step, state, link_id, gateway_id,"
        " action, argument, key) SELECT %s, n, 'planned', l.id,"
        " l.gateway_id, 'close_valve', '{}', gen_random_uuid()"
        " FROM links l, generate_series(1, 2) n WHERE l.code = 'T-V'", plan)
    return plan


def test_template(db):
    body, etag, location = make_template(db)
    assert location == "/api/v1/plan-templates/T-T"
    assert {k: v for k, v in body.items() if k in TEMPLATE} == TEMPLATE | {
        "actions": [TEMPLATE["actions"][0],
                    TEMPLATE["actions"][1]
                    | {"argument": {}, "repeatable": False}]}
    assert (body["risk"], body["approval_life_s"], body["effect_at"],
            body["protective"], body["changed_by"], body["trials"],
            body["guards"], body["undo"]) == (
                "medium", 1800, "node", False, "eve", 0, [], [])
    assert (body["priority"], body["expires_s"], body["command_life_s"],
            body["enabled"], body["anomaly_type"], body["effect_unit"]) == (
                100, 3600, 300, True, None, "m3/h")
    assert db.run("templates_get", "T-T") == [(body, etag)]
    assert "T-T" in [t["code"] for t in
                     db.body("templates_list", 1000, None)["items"]]
    changed, newer, _ = db.run("templates_change", "T-T", j(
        enabled=False, priority=5, direction="high", name=None,
        actions=TEMPLATE["actions"][:1]), etag, "ed")[0]
    assert (changed["enabled"], changed["priority"], changed["direction"],
            changed["name"], len(changed["actions"])) == (
                False, 5, "high", "Close the valve", 1)
    assert newer != etag
    same, _, _ = db.run("templates_change", "T-T", j(direction=None),
                        newer, "ed")[0]
    assert same == changed | {"direction": None}
    refused(db, 412, "", "version", "templates_change", "T-T", "{}", etag,
            "ed")
    refused(db, 404, "", "no plan template X", "templates_change", "X",
            "{}", None, "ed")
    refused(db, 409, "/code", "T-T exists", "templates_create",
            json.dumps(TEMPLATE), "eve")


@pytest.mark.parametrize("change, pointer, words", [
    ({"metric": "beer"}, "/metric", "no metric beer"),
    ({"effect_metric": "beer"}, "/effect_metric", "no metric beer"),
    ({"effect_metric": None}, "/effect_metric", "together"),
    ({"effect_direction": None}, "/effect_direction", "together"),
    ({"code": "a b"}, "/code", "letters"),
    ({"actions": [TEMPLATE["actions"][0] | {"action": "Close!"}]},
     "/actions/0/action", "lower-case"),
    ({"undo": [TEMPLATE["actions"][0] | {"action": "Open!"}]},
     "/undo/0/action", "lower-case"),
    ({"guards": [{"name": "floor", "metric": "beer", "low": 1}]},
     "/guards/0/metric", "no metric beer"),
    ({"guards": [{"name": "floor", "metric": "flow"}]}, "/guards/0/low",
     "low, high or both"),
    ({"guards": [{"name": "Floor", "metric": "flow", "low": 1}]},
     "/guards/0/name", "lower-case"),
    ({"guards": [{"name": "floor", "metric": "flow", "low": 2, "high": 1}]},
     "/guards/0/low", "above high"),
    ({"guards": [{"name": "floor", "metric": "flow", "low": 2}] * 2},
     "/guards/1/name", "given twice"),
])
def test_bad_templates(db, change, pointer, words):
    refused(db, 422, pointer, words, "templates_create",
            json.dumps(TEMPLATE | change), "eve")
    assert db.run("templates_get", "T-T") == []


def test_anomalies_list_filters_and_pages(db, series):
    ids = [make_anomaly(db, series, s, "open") for s in
           ("info", "warning", "critical")]
    ids += [make_anomaly(db, series, "info", "cleared", t) for t in
            ("2026-01-02 00:00Z", "2026-01-03 00:00Z")]
    ids.reverse()

    def listed(*filters):
        return [a["id"] for a in db.body("anomalies_list", *filters, 100,
                                         None, None)["items"] if a["id"] in ids]
    assert listed(None, None, "T-B", None) == ids
    assert listed("open", None, "T-B", None) == ids[2:]
    assert listed("open", "info", "T-B", None) == [ids[4]]
    assert listed(None, None, "T-A", None) == []
    assert listed(None, None, "T-B", "2026-01-02T12:00:00Z") == (
        [ids[0]] + ids[2:])
    page = db.body("anomalies_list", None, None, "T-B", None, 2, None,
                   None)
    assert [a["id"] for a in page["items"]] == ids[:2]
    page = db.body("anomalies_list", None, None, "T-B", None, 3,
                   page["next"], None)
    assert [a["id"] for a in page["items"]] == ids[2:]
    assert page["next"] is None


def test_anomaly_detail(db, plan, anomaly):
    body = db.body("anomalies_get", anomaly)
    assert (body["node"], body["metric"], body["unit"], body["zone"],
            body["value"], body["limit"], body["evidence"],
            body["knowledge_version"]) == (
                "T-B", "flow", "m3/h", "T-Z", None, 45, {"limit": 45}, 7)
    assert [p["id"] for p in body["plans"]] == [plan]
    assert body["transitions"] == []
    assert db.run("anomalies_get", anomaly + 1000000) == []


def test_ack_stays_with_the_first(db, anomaly):
    body = db.body("anomalies_ack", anomaly, j(note="on it"), "ada",
                   None)
    assert (body["acked_by"], body["ack_note"]) == ("ada", "on it")
    assert body["acked_at"]
    again = db.body("anomalies_ack", anomaly, j(note="other"), "ada",
                    None)
    assert again == body
    refused(db, 409, "", "acknowledged by ada at", "anomalies_ack", anomaly,
            None, "bob", None)
    refused(db, 404, "", "no anomaly", "anomalies_ack", anomaly + 1000000,
            None, "ada", None)


def test_approve_queues_the_commands(db, plan):
    body = db.body("plans_decide", plan, "approve", j(reason="go"), "ada")
    assert (body["state"], body["decided_by"], body["decision_reason"],
            body["closed_at"]) == ("approved", "ada", "go", None)
    for command in body["commands"]:
        assert (command["state"], command["attempts"]) == ("queued", 0)
        parse = datetime.datetime.fromisoformat
        left = (parse(command["not_after"].replace("Z", "+00:00")) -
                parse(body["decided_at"].replace("Z", "+00:00")))
        assert left.total_seconds() == 300
        assert command["next_attempt_at"] == body["decided_at"]
    assert [(t["row"], t["from"], t["to"], t["actor"], t["facts"],
             t["knowledge_version"]) for t in body["transitions"]] == [
                 ("P1", "proposed", "approved", "ada", {"reason": "go"}, 7)]
    assert [(t["row"], t["from"], t["to"]) for t in
            body["command_transitions"]] == [("C1", "planned", "queued")] * 2
    assert body["effect"] == {"node": "T-B", "metric": "flow",
                              "unit": "m3/h", "direction": "low",
                              "least": 2, "window_s": 60}
    assert body["reasons"] == {"why": "it fits"}
    assert db.body("plans_get", plan) == body
    for decision in ("approve", "reject"):
        refused(db, 409, "", "is approved, not proposed", "plans_decide",
                plan, decision, j(reason="x"), "bob")
    assert db.body("plans_get", plan) == body


def test_reject_cancels_the_commands(db, plan):
    body = db.body("plans_decide", plan, "reject", j(reason="no"), "ada")
    assert (body["state"], body["decision_reason"]) == ("rejected", "no")
    assert body["closed_at"] == body["decided_at"]
    assert [(c["state"], c["not_after"], c["next_attempt_at"])
            for c in body["commands"]] == [("cancelled", None, None)] * 2
    assert [t["row"] for t in body["transitions"]] == ["P2"]
    assert [t["row"] for t in body["command_transitions"]] == ["C2"] * 2
    refused(db, 409, "", "is rejected", "plans_decide", plan, "approve",
            None, "ada")


def test_what_expired_is_not_decided(db, plan, anomaly, series):
    late = make_plan(db, anomaly, series, life="-1 s")
    for decision in ("approve", "reject"):
        refused(db, 409, "", f"plan {late} expired at", "plans_decide",
                late, decision, None, "ada")
    assert db.body("plans_get", late)["state"] == "proposed"
    refused(db, 404, "", "no plan", "plans_decide", late + 1000000,
            "approve", None, "ada")


@pytest.mark.parametrize("state", [
    "approved", "executing", "verifying", "worked", "no_effect", "worse",
    "not_provable", "rejected", "expired", "failed", "superseded", "cancelled",
    "undone"])
def test_only_proposed_plans_are_decided(db, plan, anomaly, series, state):
    other = make_plan(db, anomaly, series, state)
    for decision in ("approve", "reject"):
        refused(db, 409, "", f"is {state}", "plans_decide", other, decision,
                None, "ada")


def test_plans_list(db, plan, anomaly, series):
    worked = make_plan(db, anomaly, series, "worked")
    page = db.body("plans_list", None, 1, None)
    assert [p["id"] for p in page["items"]] == [worked]
    page = db.body("plans_list", None, 1, page["next"])
    assert [p["id"] for p in page["items"]] == [plan]
    assert (page["items"][0]["node"], page["items"][0]["template"]) == (
        "T-B", "T-T")
    ids = [p["id"] for p in db.body("plans_list", "worked", 9, None)["items"]]
    assert worked in ids and plan not in ids


def test_a_link_in_the_past_of_a_command_stays(db, plan):
    refused(db, 409, "", "gateway to null", "links_delete", "T-V", None)


FSM = """
#include "core/fsm.c"
#include "domain/%s.c"
#include <stdio.h>
static void dump(const struct fsm *f) {
    for (size_t i = 0; i < f->nrows; i++)
        printf("%%s\\t%%s\\t%%s\\t%%s\\n", f->rows[i].id,
            f->states[f->rows[i].from], f->events[f->rows[i].event],
            f->states[f->rows[i].to]);
}
int main(void) { %s }"""


def test_decisions_use_the_rows_of_the_tables(db, tmp_path):
    rows = run_c(tmp_path, FSM % (
        "plan", "dump(&plan_fsm); dump(&command_fsm);"))
    moves = {row[0]: tuple(row[1:]) for row in rows}
    decisions = db.sql("SELECT * FROM decisions")
    assert len(decisions) == 2
    for decision, plan_row, plan_to, command_row, command_to in decisions:
        event = {"approve": "approve", "reject": "cancel"}[decision]
        assert moves[plan_row] == ("proposed", decision, plan_to)
        assert moves[command_row] == ("planned", event, command_to)


@pytest.mark.parametrize("table, fsm", [
    ("plans", "plan_fsm"), ("commands", "command_fsm"),
    ("anomalies", "anomaly_fsm")])
def test_states_equal_the_fsm(db, tmp_path, table, fsm):
    unit = "anomaly" if table == "anomalies" else "plan"
    rows = run_c(tmp_path, (FSM % (unit, "(void)dump; for (size_t i = 0; "
                                   f"i < {fsm}.nstates; i++) "
                                   f"puts({fsm}.states[i]);")))
    check = db.sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                   "WHERE conrelid = %s::regclass AND conname = %s",
                   table, f"{table}_state_check")[0][0]
    words = {w for w in check.split("'")[1::2]}
    assert words == {row[0] for row in rows}


def test_field_choices_equal_the_domain_words(tmp_path):
    source = re.sub(r'"\s*\\\n\s*"', "", (
        ROOT / "src/api/resources_decisions.c").read_text())
    rows = run_c(tmp_path, FSM % (
        "anomaly", "(void)dump; for (int i = 0; i < ANOMALY_TYPE_COUNT; i++)"
        " puts(anomaly_type_name(i));"))
    assert "\"" + "|".join(row[0] for row in rows) + "\"" in source


def test_pause_and_resume(db):
    db.sql("UPDATE loop_status SET paused = false, paused_by = NULL, "
           "paused_at = NULL")
    body = db.body("loop_pause", "true", "ada")
    assert (body["paused"], body["paused_by"]) == (True, "ada")
    assert body["paused_at"]
    assert db.body("loop_pause", "true", "bob") == body
    assert db.body("loop_get") == body
    body = db.body("loop_pause", "false", "bob")
    assert (body["paused"], body["paused_by"], body["paused_at"]) == (
        False, None, None)
    assert body["system_state"] in ("normal", "alert", "emergency")


def test_two_people_decide_once(conninfo, db, plan, anomaly):
    """Whoever comes second waits, and is told what the first decided."""
    db.connection.commit()
    other = psycopg2.connect(conninfo)
    try:
        db.body("plans_decide", plan, "approve", None, "ada")
        result = []

        def late():
            with other.cursor() as cursor:
                try:
                    cursor.execute("SELECT plan_decide(%s, 'reject', NULL, "
                                   "'bob')", (plan,))
                except psycopg2.Error as error:
                    result.append((error.pgcode, error.diag.message_primary))
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive() and result == []
        db.connection.commit()
        thread.join(10)
        assert result == [("PS409",
                           f"plan {plan} is approved, not proposed")]
        assert [t["actor"] for t in
                db.body("plans_get", plan)["transitions"]] == ["ada"]
    finally:
        other.close()
        db.connection.rollback()
        db.sql("DELETE FROM transitions WHERE actor = 'ada';"
               "DELETE FROM commands WHERE plan_id = %s", plan)
        db.sql("DELETE FROM plans WHERE id = %s", plan)
        db.sql("DELETE FROM anomalies WHERE id = %s;"
               "DELETE FROM plan_templates WHERE code = 'T-T';"
               "DELETE FROM links WHERE code = 'T-V';"
               "DELETE FROM gateways WHERE code = 'T-G';"
               "DELETE FROM series WHERE node_id IN (SELECT id FROM nodes"
               " WHERE code = 'T-B');"
               "DELETE FROM nodes WHERE code IN ('T-A', 'T-B');"
               "DELETE FROM zones WHERE code = 'T-Z'", anomaly)
        db.connection.commit()
