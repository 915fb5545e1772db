"""Stopping, undoing and overriding plans, what runs by policy, and the rows of
the tables of states that all this takes."""
import json

import pytest

from test_decisions import (  # noqa: F401  fixtures
    FSM, anomaly, j, make_anomaly, make_plan, make_template, plan, refused,
    series)
from scratch import run_c

UNDO = [{"step": 1, "action": "open_valve", "target_type": "valve",
         "target_relation": "inlet"}]
WHY = j(reason="why")


def act(db, name, *args):
    return db.run(name, *args)[0][0]


def moves(body, which="transitions"):
    return [(t["row"], t["from"], t["to"], t["actor"]) for t in body[which]]


@pytest.mark.parametrize("state, row", [
    ("approved", "P17"), ("executing", "P18")])
def test_stopped(db, plan, state, row):  # noqa: F811
    db.body("plans_decide", plan, "approve", "{}", "ada")
    db.sql("UPDATE plans SET state = %s; UPDATE commands SET state = 'sent'"
           " WHERE step = 1", state)
    body = act(db, "plans_cancel", plan, WHY, "bob")
    assert (body["state"], [c["state"] for c in body["commands"]]) == (
        "cancelled", ["sent", "cancelled"])
    assert moves(body)[-1] == (row, state, "cancelled", "bob")
    assert moves(body, "command_transitions")[-1] == (
        "C10", "queued", "cancelled", "bob")
    assert body["closed_at"]
    refused(db, 409, "", "neither approved", "plans_cancel", plan, WHY, "bob")
    refused(db, 404, "", "no plan", "plans_cancel", plan + 10 ** 6, WHY, "b")


def done(db, plan, state="worked", undo=UNDO):  # noqa: F811
    db.run("templates_change", "T-T", j(undo=undo), None, "eve")
    db.sql("UPDATE plans SET state = %s, closed_at = now() WHERE id = %s",
           state, plan)
    db.sql("UPDATE commands SET state = 'executed' WHERE plan_id = %s", plan)


def test_undone(db, plan):  # noqa: F811
    done(db, plan)
    body = act(db, "plans_undo", plan, WHY, "bob")
    assert (body["state"], body["undoes"], body["authors"]) == (
        "proposed", plan, ["bob", "eve"])
    effect = body["effect"]
    assert (effect["node"], effect["direction"], effect["least"]) == (
        "T-B", "high", 0), "the other way of what was proved"
    assert [(c["action"], c["link"], c["state"]) for c in body["commands"]
            ] == [("open_valve", "T-V", "planned")]
    assert moves(body) == [("P0", None, "proposed", "bob")]
    undo = body["id"]
    assert db.body("plans_get", plan)["undone_by"] == undo
    refused(db, 409, "", f"plan {undo} is about the same", "plans_undo", plan,
            WHY, "bob")
    db.body("plans_decide", undo, "approve", "{}", "ada")
    db.sql("UPDATE plans SET state = 'executing' WHERE id = %s", undo)
    db.sql("UPDATE plans SET state = 'verifying' WHERE id = %s", undo)
    old = db.body("plans_get", plan)
    assert old["state"] == "undone"
    assert moves(old)[-1] == ("P20", "worked", "undone", "loop")
    refused(db, 409, "", "is undone", "plans_undo", plan, WHY, "bob")
    refused(db, 409, "", "undoes another", "plans_undo", undo, WHY, "bob")


def test_undone_before_its_verdict(db, plan):  # noqa: F811
    done(db, plan)
    db.sql("UPDATE plans SET state = 'verifying', closed_at = NULL"
           " WHERE id = %s", plan)
    undo = act(db, "plans_undo", plan, WHY, "bob")["id"]
    assert db.body("plans_decide", undo, "approve", "{}", "ada")[
        "state"] == "approved"


def test_what_did_not_work_promises_nothing_undone(db, plan):  # noqa: F811
    done(db, plan, "no_effect")
    body = act(db, "plans_undo", plan, WHY, "bob")
    assert body["effect"] is None


def test_undoing_is_no_trial_of_the_template(db, plan):  # noqa: F811
    done(db, plan)
    undo = act(db, "plans_undo", plan, WHY, "bob")["id"]
    db.sql("UPDATE plans SET verdict = '{\"verdict\": \"worked\"}'")
    figures = db.body("template_figures_get", "T-T")
    assert figures["proposed"] == {"trials": 1, "successes": 1}
    assert undo not in [p["id"] for p in figures["plans"]]


def test_what_undoes_is_as_risky_as_its_template_now(db, plan):  # noqa: F811
    done(db, plan)
    db.run("templates_change", "T-T", j(risk="high"), None, "eve")
    body = act(db, "plans_undo", plan, WHY, "bob")
    assert (body["risk"], body["approvals_lacking"]) == ("high", 2)


def test_an_undoing_of_high_risk_takes_two_others(db, plan):  # noqa: F811
    db.sql("UPDATE plans SET risk = 'high'")
    done(db, plan)
    undo = act(db, "plans_undo", plan, WHY, "bob")["id"]
    for author in ("bob", "eve"):
        refused(db, 403, "", "is an author", "plans_decide", undo, "approve",
                "{}", author)


def test_what_cannot_be_undone(db, plan, anomaly, series):  # noqa: F811
    refused(db, 409, "", "is proposed", "plans_undo", plan, WHY, "bob")
    done(db, plan, undo=[])
    refused(db, 409, "", "nothing of plan", "plans_undo", plan, WHY, "bob")
    done(db, plan, "failed")
    db.sql("UPDATE commands SET state = 'expired'")
    refused(db, 409, "", "nothing of plan", "plans_undo", plan, WHY, "bob")
    done(db, plan)
    other = make_plan(db, anomaly, series, "executing")
    refused(db, 409, "", f"plan {other} is about", "plans_undo", plan, WHY,
            "bob")


def test_overridden_and_answered_for(db, plan):  # noqa: F811
    db.sql("UPDATE plans SET risk = 'high', authors = '{eve}'")
    before = db.body("loop_get")["after_reviews_open"]
    body = act(db, "plans_override", plan, WHY, "eve")
    assert (body["state"], {c["state"] for c in body["commands"]}) == (
        "approved", {"queued"})
    assert [(a["by"], a["decision"], a["reason"]) for a in body["approvals"]
            ] == [("eve", "override", "why")]
    assert body["transitions"][-1]["facts"] == {
        "override": True, "reason": "why", "approvals_lacking": 2}
    assert db.body("loop_get")["after_reviews_open"] == before + 1
    review = db.body("after_reviews_list", "open", 1, None)["items"][0]
    assert (review["plan"], review["opened_by"], review["state"]) == (
        plan, "eve", "open")
    found = j(findings="it was right")
    refused(db, 403, "", "another person", "after_reviews_close",
            review["id"], found, "eve")
    closed = act(db, "after_reviews_close", review["id"], found, "ada")
    assert (closed["state"], closed["closed_by"], closed["findings"]) == (
        "closed", "ada", "it was right")
    assert db.body("after_reviews_get", review["id"]) == closed
    assert closed in db.body("after_reviews_list", "closed", 9, None)["items"]
    refused(db, 409, "", "closed by ada", "after_reviews_close",
            review["id"], found, "bob")
    refused(db, 404, "", "no after-review", "after_reviews_close",
            review["id"] + 10 ** 6, found, "bob")
    assert db.body("loop_get")["after_reviews_open"] == before


def test_preapproved_by_another_and_as_it_is(db, plan):  # noqa: F811
    yes = j(approved=True)
    refused(db, 409, "", "not protective", "templates_preapprove", "T-T",
            yes, "ed")
    db.run("templates_change", "T-T", j(protective=True), None, "eve")
    refused(db, 403, "", "eve wrote", "templates_preapprove", "T-T", yes,
            "eve")
    body = act(db, "templates_preapprove", "T-T", yes, "ed")
    assert body["preapproved_by"] == "ed" and body["preapproved_at"]
    body = act(db, "templates_preapprove", "T-T", j(approved=False), "eve")
    assert body["preapproved_by"] is None
    act(db, "templates_preapprove", "T-T", yes, "ed")
    body = act(db, "templates_change", "T-T", j(name="x"), None, "ed")
    assert body["preapproved_by"] is None, "it is another one now"
    refused(db, 404, "", "no plan template", "templates_preapprove", "X", yes,
            "ed")


def unasked(db, plan, policy):  # noqa: F811
    return db.run("cycle_plan_unasked", plan, policy)[0][0]


def test_low_risk_runs_by_policy(db, plan):  # noqa: F811
    assert not unasked(db, plan, "low-risk"), "its risk is medium"
    db.sql("UPDATE plans SET risk = 'low'")
    assert not unasked(db, plan, "low-risk"), "its template's is medium"
    db.sql("UPDATE plan_templates SET risk = 'low', enabled = false"
           " WHERE code = 'T-T'")
    assert not unasked(db, plan, "low-risk"), "its template is switched off"
    db.sql("UPDATE plan_templates SET enabled = true WHERE code = 'T-T'")
    assert not unasked(db, plan, "emergency")
    assert not unasked(db, plan, "whatever")
    act(db, "loop_emergency", j(on=True, reason="x"), "eve")
    assert not unasked(db, plan, "low-risk"), "not in an emergency"
    act(db, "loop_emergency", j(on=False, reason="x"), "eve")
    assert unasked(db, plan, "low-risk")
    body = db.body("plans_get", plan)
    assert (body["state"], body["decided_by"]) == (
        "approved", "policy:low-risk")
    assert [(a["by"], a["decision"]) for a in body["approvals"]] == [
        ("policy:low-risk", "policy")]
    assert not unasked(db, plan, "low-risk"), "it is approved already"


def test_protective_plans_run_in_an_emergency(
        db, plan, series):  # noqa: F811
    db.run("templates_change", "T-T", j(protective=True), None, "eve")
    act(db, "templates_preapprove", "T-T", j(approved=True), "ed")
    version = db.sql("SELECT change FROM plan_templates WHERE code = 'T-T'"
                     )[0][0]
    other = make_plan(db, make_anomaly(db, series, "warning"), series)
    db.sql("UPDATE plans SET knowledge_version = %s WHERE id = %s",
           version, other)
    assert not unasked(db, other, "emergency"), "nobody declared one"
    body = act(db, "loop_emergency", j(on=True, reason="flood"), "eve")
    assert (body["emergency"], body["emergency_by"],
            body["emergency_reason"]) == (True, "eve", "flood")
    again = act(db, "loop_emergency", j(on=True, reason="x"), "bob")
    assert again["emergency_by"] == "eve"
    assert not unasked(db, plan, "emergency"), "of the template before that"
    assert unasked(db, other, "emergency")
    facts = db.body("plans_get", other)["transitions"][-1]["facts"]
    assert facts["preapproved_by"] == "ed"
    db.sql("UPDATE plans SET knowledge_version = %s WHERE id = %s",
           version, plan)
    assert not unasked(db, plan, "emergency"), "two at once on one link"
    assert db.body("plans_get", plan)["approvals"] == []


def test_rows_are_those_of_the_tables(db, plan, tmp_path):  # noqa: F811
    """Every move of a plan that SQL makes is a row of plan_fsm."""
    rows = {row[0]: tuple(row[1:]) for row in run_c(tmp_path, FSM % (
        "plan", "dump(&plan_fsm);"))}
    assert rows["P15"] == ("proposed", "endorse", "proposed")
    assert rows["P17"] == ("approved", "cancel", "cancelled")
    assert rows["P18"] == ("executing", "cancel", "cancelled")
    for row, state in (
            ("P19", "verifying"), ("P20", "worked"), ("P21", "no_effect"),
            ("P22", "worse"), ("P23", "not_provable"), ("P24", "failed"),
            ("P25", "cancelled")):
        assert rows[row] == (state, "undo", "undone")
        undo = db.sql(
            "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
            " expires_at, effect_direction, effect_least, effect_window_s,"
            " command_life_s, reasons, knowledge_version, undoes)"
            " SELECT anomaly_id, template_id, 'executing', now(), now(),"
            " 'none', 0, 60, 60, '{}', 1, id FROM plans WHERE id = %s"
            " RETURNING id", plan)[0][0]
        db.sql("UPDATE plans SET state = %s WHERE id = %s", state, plan)
        db.sql("UPDATE plans SET state = 'verifying' WHERE id = %s", undo)
        assert moves(db.body("plans_get", plan))[-1] == (
            row, state, "undone", "loop")


def test_gauges_count_plans_in_every_state(db, plan, tmp_path):  # noqa: F811
    states = [row[0] for row in run_c(tmp_path, FSM % (
        "plan", "(void)dump; for (size_t i = 0; i < plan_fsm.nstates; i++)"
        " puts(plan_fsm.states[i]);"))]
    others = dict(db.sql("SELECT state, count(*) FROM plans WHERE id <> %s"
                         " GROUP BY state", plan))
    for state in states:
        db.sql("UPDATE plans SET state = %s WHERE id = %s", state, plan)
        assert db.run("cycle_gauges")[0][9:] == tuple(
            others.get(s, 0) + (s == state) for s in states)


def test_gauges_count_alarms_and_reviews(db, plan, anomaly):  # noqa: F811
    def gauges():
        return db.run("cycle_gauges")[0][5:9]

    before = gauges()
    act(db, "anomalies_comment", anomaly, j(text="look"), "ada", None)
    after = gauges()
    assert [b - a for a, b in zip(before, after)] == [1, 0, 1, 0]
    db.sql("UPDATE anomalies SET alarm_at = now() - interval '25 h'"
           " WHERE id = %s", anomaly)
    act(db, "plans_override", plan, WHY, "eve")
    assert [b - a for a, b in zip(after, gauges())] == [0, 1, 0, 1]


def propose(db, anomaly, who="eva", **body):  # noqa: F811
    return act(db, "plans_propose", anomaly,
               j(**{"template": "T-T", "reason": "I saw it"} | body), who)


def one_action(db, **more):
    return make_template(db, **{"actions": [{
        "step": 1, "action": "close_valve", "target_type": "valve",
        "target_relation": "inlet", "argument": {"percent": 100},
        "repeatable": True}]} | more)


def test_proposed_by_hand(db, anomaly):  # noqa: F811
    one_action(db, direction="low", anomaly_type="flatline")
    body = propose(db, anomaly)
    assert (body["state"], body["risk"], body["authors"]) == (
        "proposed", "medium", ["eva", "eve"])
    assert [(c["link"], c["action"], c["argument"], c["state"],
             c["repeatable"]) for c in body["commands"]] == [
        ("T-V", "close_valve", {"percent": 100}, "planned", True)]
    effect = body["effect"]
    assert (effect["node"], effect["direction"], effect["least"]) == (
        "T-B", "low", 2)
    assert body["reasons"] == {
        "template": "T-T", "by": "eva", "reason": "I saw it", "misfits": [
            "anomaly is threshold, not flatline",
            "direction is high, not low"]}
    assert moves(body) == [("P0", None, "proposed", "eva")]
    assert db.body("anomalies_get", anomaly)["planning"] == "proposed"
    plan = body["id"]
    refused(db, 409, "", f"plan {plan} is about", "plans_propose", anomaly,
            j(template="T-T", reason="x"), "eva")
    refused(db, 403, "", "eva proposed", "plans_decide", plan, "approve",
            "{}", "eva")
    refused(db, 403, "", "eva proposed", "plans_override", plan, WHY, "eva")
    assert db.body("plans_decide", plan, "approve", "{}", "eve")[
        "state"] == "approved", "its risk is medium, and eve another person"


def test_a_rejected_one_leaves_the_loop_its_own(db, anomaly):  # noqa: F811
    def due():
        return anomaly in [row[0] for row in db.run(
            "cycle_anomalies_unplanned", 1000, "2000-01-01T00:00:00Z")]

    one_action(db)
    assert due()
    plan = propose(db, anomaly)["id"]
    assert not due()
    db.body("plans_decide", plan, "reject", WHY, "ada")
    assert due()
    db.sql("UPDATE plans SET proposed_by = NULL WHERE id = %s", plan)
    assert not due(), "what the loop proposed and a person rejected"


def test_what_a_person_proposed_no_policy_decides(db, anomaly):  # noqa: F811
    one_action(db, risk="low", protective=True)
    act(db, "templates_preapprove", "T-T", j(approved=True), "ed")
    plan = propose(db, anomaly)["id"]
    assert not unasked(db, plan, "low-risk")
    act(db, "loop_emergency", j(on=True, reason="flood"), "eve")
    assert not unasked(db, plan, "emergency")
    assert db.body("plans_get", plan)["state"] == "proposed"


def test_of_high_risk_it_takes_two_others(db, anomaly):  # noqa: F811
    one_action(db, risk="high")
    db.run("templates_change", "T-T", j(name="better"), None, "ed")
    plan = propose(db, anomaly)["id"]
    for who, words in (("eva", "proposed plan"), ("eve", "is an author"),
                       ("ed", "is an author")):
        refused(db, 403, "", words, "plans_decide", plan, "approve", "{}",
                who)
    assert db.body("plans_decide", plan, "approve", "{}", "ada")[
        "approvals_lacking"] == 1
    assert db.body("plans_decide", plan, "approve", "{}", "bob")[
        "state"] == "approved"


def test_who_proposed_does_not_send_it_again(db, anomaly):  # noqa: F811
    one_action(db)
    body = propose(db, anomaly)
    db.body("plans_decide", body["id"], "approve", "{}", "ada")
    db.sql("UPDATE plans SET state = 'failed', closed_at = now()"
           " WHERE id = %s", body["id"])
    command = body["commands"][0]["id"]
    db.sql("UPDATE commands SET state = 'failed', dead_at = now() WHERE id"
           " = %s", command)
    refused(db, 403, "", "eva proposed", "commands_redrive", command, WHY,
            "eva")
    assert act(db, "commands_redrive", command, WHY, "ada")["state"] == (
        "queued")


@pytest.mark.parametrize("change, words", [
    ({"enabled": False}, "is switched off"),
    ({"guards": [{"name": "floor", "metric": "level", "low": 1}]},
     "needs level, which T-B has not"),
    ({"actions": [{"step": 3, "action": "stop_pump", "target_type": "pump",
                   "target_relation": "zone"}]},
     "step 3: no pump on a gateway is the zone of T-B"),
    ({"actions": [{"step": 1, "action": "close_valve",
                   "target_type": "valve", "target_relation": r}
                  for r in ("inlet", "zone")]}, "would move T-V twice"),
    ({"actions": []}, "no action")])
def test_what_cannot_be_proposed(db, anomaly, change, words):  # noqa: F811
    one_action(db, **change)
    refused(db, 409, "/template", words, "plans_propose", anomaly,
            j(template="T-T", reason="x"), "eva")
    assert db.body("anomalies_get", anomaly)["planning"] is None


def test_of_what_nothing_can_be_proposed(db, series):  # noqa: F811
    one_action(db)
    asked = j(template="T-T", reason="x")
    over = make_anomaly(db, series, state="cleared")
    refused(db, 409, "", "is cleared, not open", "plans_propose", over, asked,
            "eva")
    refused(db, 404, "", "no anomaly", "plans_propose", over + 10 ** 6, asked,
            "eva")
    refused(db, 422, "/template", "no plan template X", "plans_propose",
            make_anomaly(db, series), j(template="X", reason="x"), "eva")


def test_everybody_who_changed_a_template_wrote_it(db):
    make_template(db, protective=True)
    for who in "ed", "eve", "ed":
        db.run("templates_change", "T-T", j(name=f"by {who}"), None, who)
    assert db.sql("SELECT authors FROM plan_templates WHERE code = 'T-T'"
                  )[0][0] == ["eve", "ed"]
    for who in "eve", "ed":
        refused(db, 403, "", f"{who} wrote", "templates_preapprove", "T-T",
                j(approved=True), who)


def events(db):
    db.sql("SET CONSTRAINTS ALL IMMEDIATE")
    return [t for t, in db.sql("SELECT type FROM events ORDER BY id")]


def test_agreeing_and_reviews_are_told(db, plan):  # noqa: F811
    db.sql("UPDATE plans SET risk = 'high'")
    db.body("plans_decide", plan, "approve", "{}", "ada")
    assert "plan.endorsed" in events(db)
    act(db, "plans_override", plan, WHY, "eve")
    assert "plan.after_review_opened" in events(db)
    review = db.body("after_reviews_list", "open", 1, None)["items"][0]["id"]
    act(db, "after_reviews_close", review, j(findings="right"), "ada")
    assert events(db)[-1] == "plan.after_review_closed"


def test_a_dossier_waits_for_its_after_review(db, plan):  # noqa: F811
    act(db, "plans_override", plan, WHY, "eve")
    db.sql("UPDATE plans SET state = 'worked', closed_at = now()"
           " WHERE id = %s", plan)

    def dossier():
        body = json.loads(db.run("dossier_get", plan)[0][0])
        sealed = db.sql("SELECT count(*) FROM dossiers WHERE plan_id = %s",
                        plan)[0][0]
        return body, sealed

    body, sealed = dossier()
    assert (body["final"], sealed) == (False, 0)
    assert body["after_reviews"][0]["state"] == "open"
    act(db, "after_reviews_close", body["after_reviews"][0]["id"],
        j(findings="it was right"), "ada")
    assert db.sql("SELECT dossiers_seal(99999)")[0][0] >= 1
    body, sealed = dossier()
    assert (body["final"], sealed) == (True, 1)
    assert body["after_reviews"][0]["findings"] == "it was right"


def test_a_dossier_has_the_refusals_that_are_its_own(
        db, plan, anomaly):  # noqa: F811
    act(db, "plans_override", plan, WHY, "eve")
    review = db.body("after_reviews_list", "open", 1, None)["items"][0]["id"]
    db.sql("SELECT audit_refuse(%s)", json.dumps(
        [{"actor": "eve", "action": "plans_propose", "target": str(target),
          "status": 409, "detail": "x"} for target in {anomaly, plan}]
        + [{"actor": "eve", "action": "after_reviews_close",
            "target": str(review), "status": 403, "detail": "x"}]))
    body = json.loads(db.run("dossier_get", plan)[0][0])
    assert sorted(r["action"] for r in body["audit"]
                  if r["outcome"] == "refused") == [
        "after_reviews_close", "plans_propose"]


def test_a_dossier_has_the_rule_as_it_was(db, plan, anomaly):  # noqa: F811
    rule = {"when": {"series": "T-B/flow", "value": {"above": 45}},
            "severity": "critical", "message": "look"}
    db.run("rules_create", j(code="T-R", rule=rule), "eve")
    db.run("rules_change", "T-R", j(rule=rule | {"message": "look again"}),
           "ed", None)
    db.sql("UPDATE anomalies SET rule_id = 'R:T-R@1', rule_no = (SELECT id"
           " FROM rules WHERE code = 'T-R') WHERE id = %s", anomaly)
    found = json.loads(db.run("dossier_get", plan)[0][0])["knowledge"][
        "rule_version"]
    assert (found["code"], found["version"], found["body"], found["author"]
            ) == ("T-R", 1, rule, "eve")
    assert len(found["sha256"]) == 64
