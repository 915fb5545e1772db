"""Who may agree to a plan, how many must, and for how long it counts."""
import threading

import psycopg2
import pytest

from scratch import prepare
from test_decisions import (  # noqa: F401  fixtures
    anomaly, j, make_anomaly, make_plan, make_template, plan, refused, series)


@pytest.fixture
def risky(db, plan):  # noqa: F811
    """A plan of high risk of a template that eve wrote."""
    db.sql("UPDATE plans SET risk = 'high', authors = '{eve}'"
           " WHERE id = %s", plan)
    return plan


def approve(db, plan, who, **more):  # noqa: F811
    return db.body("plans_decide", plan, "approve", j(**more), who)


def test_a_proposal_is_what_its_template_says(db, anomaly, series):  # noqa: F811
    make_template(db, risk="high", approval_life_s=60)
    template, = db.sql("SELECT id FROM plan_templates WHERE code = 'T-T'")[0]
    made, = db.run("cycle_plan_propose", anomaly, template, "proposed",
                   "2026-01-01Z", "2036-01-01Z", series, "low", 1, 60, "{}",
                   7, "low")[0]
    body = db.body("plans_get", made)
    assert (body["risk"], body["authors"], body["approval_life_s"],
            body["approvals"], body["approvals_lacking"], body["undoes"]) == (
                "high", ["eve"], 60, [], 2, None)
    db.run("templates_change", "T-T", j(risk="low"), None, "ed")
    assert db.body("plans_get", made)["risk"] == "high"


@pytest.mark.parametrize("known, now, risk", [
    ("high", "low", "high"), ("low", "medium", "medium"),
    ("medium", "high", "high"), ("low", "low", "low")])
def test_the_higher_risk_counts(db, anomaly, series, known, now,  # noqa: F811
                                risk):
    make_template(db, risk=now)
    template, = db.sql("SELECT id FROM plan_templates WHERE code = 'T-T'")[0]
    made, = db.run("cycle_plan_propose", anomaly, template, "proposed",
                   "2026-01-01Z", "2036-01-01Z", series, "low", 1, 60, "{}",
                   7, known)[0]
    assert db.body("plans_get", made)["risk"] == risk


@pytest.mark.parametrize("risk", ["low", "medium"])
def test_one_person_is_enough(db, plan, risk):  # noqa: F811
    db.sql("UPDATE plans SET risk = %s, authors = '{eve}'", risk)
    assert db.body("plans_get", plan)["approvals_lacking"] == 1
    body = approve(db, plan, "eve", reason="go")
    assert (body["state"], body["approvals_lacking"]) == ("approved", 0)
    assert [(a["by"], a["decision"], a["reason"]) for a in body["approvals"]
            ] == [("eve", "approve", "go")]


def test_a_high_risk_takes_two(db, risky):
    first = approve(db, risky, "ada", reason="seen it")
    assert (first["state"], first["approvals_lacking"], first["decided_by"],
            {c["state"] for c in first["commands"]}) == (
                "proposed", 1, None, {"planned"})
    assert [t["row"] for t in first["transitions"]] == ["P15"]
    refused(db, 409, "", "ada approved plan", "plans_decide", risky,
            "approve", None, "ada")
    second = approve(db, risky, "bob", reason="me too")
    assert (second["state"], second["decided_by"],
            {c["state"] for c in second["commands"]}) == (
                "approved", "bob", {"queued"})
    assert [(t["row"], t["actor"], t["facts"])
            for t in second["transitions"]] == [
                ("P15", "ada", {"reason": "seen it"}),
                ("P1", "bob", {"reason": "me too"})]


def test_an_author_is_none_of_them(db, risky):
    refused(db, 403, "", "eve is an author", "plans_decide", risky,
            "approve", None, "eve")
    approve(db, risky, "ada")
    refused(db, 403, "", "eve is an author", "plans_decide", risky,
            "approve", None, "eve")
    body = db.body("plans_decide", risky, "reject", j(reason="mine"), "eve")
    assert body["state"] == "rejected", "to drop it needs nobody else"


def test_an_old_approval_does_not_count(db, risky):
    approve(db, risky, "ada")
    db.sql("UPDATE plan_approvals SET at = at - interval '1801 s'")
    assert db.body("plans_get", risky)["approvals_lacking"] == 2
    body = approve(db, risky, "bob")
    assert (body["state"], body["approvals_lacking"]) == ("proposed", 1)
    assert approve(db, risky, "ada")["state"] == "approved", "once more"


def test_who_may_not_act_any_more_does_not_count(db, risky):
    db.sql("INSERT INTO users (username, role, password_hash)"
           " VALUES ('tom', 'engineer', 'x')")
    approve(db, risky, "tom")
    db.sql("UPDATE users SET disabled_at = now() WHERE username = 'tom'")
    assert db.body("plans_get", risky)["approvals_lacking"] == 2
    # Whoever comes from elsewhere says so with each request.
    db.sql("SELECT set_config('penstock.origin', %s, true)",
           j(actor="idp:zoe", role="engineer"))
    assert approve(db, risky, "idp:zoe")["approvals_lacking"] == 1
    db.sql("SELECT revocation_create(%s, 'root')",
           j(principal="idp:zoe", reason="left"))
    assert db.body("plans_get", risky)["approvals_lacking"] == 2
    assert approve(db, risky, "ada")["state"] == "proposed"
    assert approve(db, risky, "bob")["state"] == "approved"


def test_what_was_sent_may_act_when_its_plan_is_over(
        db, plan, series):  # noqa: F811
    other = make_plan(db, make_anomaly(db, series, "warning"), series)
    db.sql("UPDATE plans SET state = 'cancelled', closed_at = now()"
           " WHERE id = %s", plan)
    for state in ("sent", "accepted", "unknown"):
        db.sql("UPDATE commands SET state = %s WHERE plan_id = %s AND"
               " step = 1", state, plan)
        refused(db, 409, "", f"plan {plan} is about link T-V still",
                "plans_decide", other, "approve", None, "ada")
    db.sql("UPDATE commands SET dead_at = now() WHERE plan_id = %s AND"
           " step = 1", plan)
    assert approve(db, other, "ada")["state"] == "approved"


def test_one_plan_at_a_time_is_on_its_way_on_a_link(
        db, plan, series):  # noqa: F811
    other = make_plan(db, make_anomaly(db, series, "warning"), series)
    approve(db, plan, "ada")
    refused(db, 409, "", f"plan {plan} is about link T-V still",
            "plans_decide", other, "approve", None, "ada")
    db.sql("UPDATE plans SET state = 'worked', closed_at = now()"
           " WHERE id = %s", plan)
    assert approve(db, other, "ada")["state"] == "approved"


def clear(db):
    """Of a test that committed what it made."""
    db.connection.rollback()
    db.sql("CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT p.id, c.id AS"
           " command FROM plans p JOIN plan_templates t ON"
           " t.id = p.template_id LEFT JOIN commands c ON c.plan_id = p.id"
           " WHERE t.code = 'T-T';"
           "DELETE FROM transitions WHERE (subject = 'plan' AND subject_id IN"
           " (SELECT id FROM mine)) OR (subject = 'command' AND subject_id IN"
           " (SELECT command FROM mine));"
           "DELETE FROM plan_approvals WHERE plan_id IN"
           " (SELECT id FROM mine);"
           "DELETE FROM commands WHERE plan_id IN (SELECT id FROM mine);"
           "DELETE FROM plans WHERE id IN (SELECT id FROM mine);"
           "DELETE FROM anomalies WHERE series_id IN (SELECT s.id FROM"
           " series s JOIN nodes n ON n.id = s.node_id"
           " WHERE n.code = 'T-B');"
           "DELETE FROM plan_templates WHERE code = 'T-T';"
           "DELETE FROM links WHERE code = 'T-V';"
           "DELETE FROM gateways WHERE code = 'T-G';"
           "DELETE FROM series WHERE node_id IN (SELECT id FROM nodes"
           " WHERE code = 'T-B');"
           "DELETE FROM nodes WHERE code IN ('T-A', 'T-B');"
           "DELETE FROM zones WHERE code = 'T-Z'")
    db.connection.commit()


def test_two_at_once_are_two(conninfo, db, risky):
    """Both agree at the same moment: one of them is the second."""
    db.connection.commit()
    answers = []

    def agree(who):
        connection = psycopg2.connect(conninfo)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT body->>'state' FROM plan_decide("
                               "%s, 'approve', '{}', %s)", (risky, who))
                answers.append(cursor.fetchone()[0])
        except psycopg2.Error as error:
            answers.append(error.pgcode)
        finally:
            connection.close()
    try:
        people = [threading.Thread(target=agree, args=(who,))
                  for who in ("ada", "ada", "bob")]
        for person in people:
            person.start()
        for person in people:
            person.join(20)
        # Whichever comes last, one ada is one too many: told so if bob was
        # not there yet, else that the plan is decided on.
        assert sorted(answers) == ["PS409", "approved", "proposed"]
        assert {a for a, in db.sql(
            "SELECT username FROM plan_approvals WHERE plan_id = %s",
            risky)} == {"ada", "bob"}
    finally:
        clear(db)


@pytest.mark.parametrize("name, args", [
    ("cycle_move_command", ("C2", "planned", "cancelled", "now", "{}", 1)),
    ("cycle_command_attempt", (1, 0, None, None, None))])
def test_the_loop_takes_a_plan_before_its_commands(
        conninfo, db, plan, name, args):  # noqa: F811
    """As people do: two who wait for each other would be a deadlock."""
    command = db.sql("SELECT min(id) FROM commands WHERE plan_id = %s",
                     plan)[0][0]
    db.connection.commit()
    other = psycopg2.connect(conninfo)
    try:
        if name not in db.prepared:
            db.sql(prepare(name))
            db.prepared.add(name)
        db.sql(f"EXECUTE test_{name}(%s" + ", %s" * len(args) + ")", command,
               *args)
        with pytest.raises(psycopg2.errors.LockNotAvailable), \
                other.cursor() as cursor:
            cursor.execute("SELECT FROM plans WHERE id = %s FOR UPDATE NOWAIT",
                           (plan,))
    finally:
        other.close()
        clear(db)
