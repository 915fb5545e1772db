"""What people do to commands: dead letters sent on their way again, unknown
ones settled, a gateway's next secret."""
import pytest

from scratch import Refused, run_c
from test_decisions import (  # noqa: F401  fixtures
    FSM, anomaly, j, make_plan, plan, refused, series)


def fail_plan(db, plan, *states):
    """The plan as it is after a failure; its commands' states, in order."""
    db.sql("UPDATE plans SET state = 'failed', closed_at = now() "
           f"WHERE id = {plan}")
    ids = [row[0] for row in db.sql(
        f"SELECT id FROM commands WHERE plan_id = {plan} ORDER BY step")]
    for number, state in zip(ids, states):
        dead = state in ("failed", "expired", "unknown")
        db.sql(f"UPDATE commands SET state = '{state}', attempts = 2, "
               "not_after = now() - interval '1 h', asked = 7, ask_until = "
               f"now(), dead_at = {'now()' if dead else 'NULL'} "
               f"WHERE id = {number}")
    return ids


def moves(db, subject, number):
    return db.sql("SELECT row_id, from_state, to_state, actor FROM "
                  f"transitions WHERE subject = '{subject}' AND "
                  f"subject_id = {number} AND actor <> 'loop' ORDER BY id")


@pytest.mark.parametrize("state, row", [("failed", "C22"),
                                        ("expired", "C23")])
def test_what_failed_leaves_under_a_new_key(db, plan, state, row):  # noqa: F811
    first, second = fail_plan(db, plan, state, "cancelled")
    before = db.body("commands_get", first)
    body = db.body("commands_redrive", first, j(reason="valve mended"), "ada")
    assert (body["state"], body["plan_state"], body["dead_at"]) == (
        "queued", "approved", None)
    assert body["key"] != before["key"]
    assert body["not_after"] > before["not_after"]
    assert (body["attempts"], body["asked"], body["ask_until"]) == (0, 0, None)
    assert moves(db, "command", first)[-1] == (row, state, "queued", "ada")
    assert moves(db, "command", second)[-1] == (
        "C24", "cancelled", "queued", "ada")
    assert moves(db, "plan", plan)[-1] == ("P12", "failed", "approved", "ada")
    facts = body["transitions"][-1]["facts"]
    assert facts["reason"] == "valve mended" and facts["key"] == before["key"]
    refused(db, 409, "", "is queued and its plan approved", "commands_redrive",
            first, j(reason="x"), "ada")


def test_what_is_unknown_is_asked_about_under_its_key(db, plan):  # noqa: F811
    first, _ = fail_plan(db, plan, "unknown", "cancelled")
    before = db.body("commands_get", first)
    body = db.body("commands_redrive", first, j(reason="back again"), "ada")
    assert (body["state"], body["key"], body["not_after"]) == (
        "unknown", before["key"], before["not_after"])
    assert (body["dead_at"], body["ask_until"], body["asked"]) == (
        None, None, 0)
    assert moves(db, "command", first)[-1] == (
        "C26", "unknown", "unknown", "ada")


def test_what_was_executed_stays(db, plan):  # noqa: F811
    first, second = fail_plan(db, plan, "executed", "failed")
    refused(db, 409, "", "is executed and its plan failed",
            "commands_redrive", first, j(reason="x"), "ada")
    db.body("commands_redrive", second, j(reason="x"), "ada")
    assert db.body("commands_get", first)["state"] == "executed"


def test_another_plan_has_the_link(db, plan, anomaly, series):  # noqa: F811
    first, _ = fail_plan(db, plan, "failed", "cancelled")
    other = make_plan(db, anomaly, series)
    refused(db, 409, "", f"plan {other} is about the same link",
            "commands_redrive", first, j(reason="x"), "ada")


def test_what_is_risky_is_agreed_to_again(db, plan):  # noqa: F811
    first, _ = fail_plan(db, plan, "failed", "cancelled")
    db.sql("UPDATE plans SET risk = 'high', authors = '{eve}'")
    db.sql("INSERT INTO plan_approvals (plan_id, username, at, decision) "
           f"VALUES ({plan}, 'ada', now(), 'approve'), "
           f"({plan}, 'bob', now() - interval '1801 s', 'approve')")
    for who, status, words in (("eve", 403, "is an author"),
                               ("ada", 409, "nobody but ada agrees")):
        refused(db, status, "", words, "commands_redrive", first,
                j(reason="x"), who)
    assert db.body("plans_get", plan)["state"] == "failed"
    assert db.body("commands_redrive", first, j(reason="x"), "bob")[
        "plan_state"] == "approved", "ada agrees still"


def test_what_was_sent_on_the_link_may_act_yet(
        db, plan, anomaly, series):  # noqa: F811
    first, _ = fail_plan(db, plan, "failed", "cancelled")
    other = make_plan(db, anomaly, series)
    db.sql("UPDATE plans SET state = 'cancelled', closed_at = now() "
           f"WHERE id = {other}")
    db.sql(f"UPDATE commands SET state = 'sent' WHERE plan_id = {other}")
    refused(db, 409, "", f"plan {other} is about link T-V still",
            "commands_redrive", first, j(reason="x"), "ada")


@pytest.mark.parametrize("outcome, row, state", [
    ("executed", "C16", "executed"), ("not_executed", "C18", "failed")])
def test_somebody_looked(db, plan, outcome, row, state):  # noqa: F811
    first, second = fail_plan(db, plan, "unknown", "executed")
    body = db.body("commands_settle", first,
                   j(outcome=outcome, reason="stood beside it"), "ada")
    assert body["state"] == state
    assert (body["dead_at"] is None) == (state == "executed")
    assert moves(db, "command", first)[-1] == (row, "unknown", state, "ada")
    plan_state = db.body("plans_get", plan)["state"]
    assert plan_state == ("verifying" if state == "executed" else "failed")
    if state == "executed":
        assert moves(db, "plan", plan)[-1] == (
            "P14", "failed", "verifying", "ada")
    refused(db, 409, "", f"is {state}", "commands_settle", first,
            j(outcome=outcome, reason="x"), "ada")


def test_what_is_asked_about_still_is_not_settled(db, plan):  # noqa: F811
    first, _ = fail_plan(db, plan, "unknown", "cancelled")
    db.sql(f"UPDATE commands SET dead_at = NULL WHERE id = {first}")
    refused(db, 409, "", "being asked about still", "commands_settle", first,
            j(outcome="executed", reason="x"), "ada")


def test_moves_are_rows_of_the_tables(db, plan, tmp_path):  # noqa: F811
    """All that the functions write is in src/domain/plan.c."""
    table = {(r[0], r[1], r[3]) for r in run_c(tmp_path, FSM % (
        "plan", "dump(&plan_fsm); dump(&command_fsm);"))}
    first, second = fail_plan(db, plan, "failed", "cancelled")
    db.body("commands_redrive", first, j(reason="x"), "ada")
    fail_plan(db, plan, "unknown", "expired")
    db.body("commands_redrive", first, j(reason="x"), "ada")
    fail_plan(db, plan, "unknown", "executed")
    db.body("commands_settle", first, j(outcome="executed", reason="x"), "ada")
    seen = {r[:3] for s in ("command", "plan") for n in (first, second, plan)
            for r in moves(db, s, n)}
    assert len(seen) >= 6
    assert seen <= table


def test_dead_letters_are_listed(db, plan):  # noqa: F811
    first, second = fail_plan(db, plan, "failed", "cancelled")
    def ids(*args):
        return [c["id"] for c in db.body("commands_list", *args)["items"]]
    assert first in ids(None, None, None, "true", 1000, None)
    assert second not in ids(None, None, None, "true", 1000, None)
    assert second in ids("cancelled", "T-G", "T-V", "false", 1000, None)
    assert ids(None, "nothing", None, None, 1000, None) == []
    page = db.body("commands_list", None, None, "T-V", None, 1, None)
    assert [c["id"] for c in page["items"]] == [second]
    page = db.body("commands_list", None, None, "T-V", None, 1, page["next"])
    assert [c["id"] for c in page["items"]] == [first]


def test_an_operator_stays_within_zones(db, plan):  # noqa: F811
    first, _ = fail_plan(db, plan, "failed", "cancelled")
    db.sql("INSERT INTO users (username, role, password_hash, zone_ids) "
           "VALUES ('bound', 'operator', 'x', '{}')")
    for call in ("commands_redrive", "commands_settle"):
        refused(db, 403, "", "is not within the zones of bound", call, first,
                j(reason="x", outcome="executed"), "bound")


def test_a_gateway_turns_to_its_next_secret(db, plan):  # noqa: F811
    assert db.run("gateways_secret", "T-G")[0] == ("T-G", 1)
    assert db.run("gateways_secret", "T-G")[0] == ("T-G", 2)
    assert db.run("gateways_get", "T-G")[0][0]["secret_version"] == 2
    with pytest.raises(Refused):
        db.run("gateways_secret", "T-NONE")
