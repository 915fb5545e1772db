"""How a plan's effect is proved: windows, dwell and the series to compare
with, as they were when the plan was proposed."""
import json

import pytest

from scratch import Refused


def node(db, code, zone, type_="meter"):
    return db.sql(
        "WITH z AS (INSERT INTO zones (code) VALUES (%s) ON CONFLICT (code)"
        " DO UPDATE SET name = '' RETURNING id), n AS (INSERT INTO nodes"
        " (code, type, zone_id) SELECT %s, %s, id FROM z RETURNING id)"
        " INSERT INTO series (node_id, metric_id, unit, kind) SELECT id, 1,"
        " 'm3/h', 'instant' FROM n RETURNING id", zone, code, type_)[0][0]


def link(db, code, from_node, to_node, type_="valve"):
    db.sql("INSERT INTO links (code, type, from_node, to_node) SELECT %s, %s,"
           " f.id, t.id FROM nodes f, nodes t WHERE f.code = %s"
           " AND t.code = %s", code, type_, from_node, to_node)


@pytest.fixture
def places(db):
    """Meters B (ill), C and D of one zone, E of the next; a valve from A to B
    and from C to nowhere that matters."""
    made = {code: node(db, f"PR-{code}", zone, type_) for code, zone, type_ in (
        ("A", "PR-1", "junction"), ("B", "PR-1", "meter"),
        ("C", "PR-1", "meter"), ("D", "PR-1", "meter"),
        ("E", "PR-2", "meter"), ("F", "PR-3", "meter"))}
    link(db, "PR-V", "PR-A", "PR-B")
    link(db, "PR-P", "PR-D", "PR-E", "pipe")
    return made


def template(db, relation="inlet", **columns):
    names = "".join(", " + c for c in columns)
    made = db.sql(
        "INSERT INTO plan_templates (code, name, metric_id, least_severity,"
        f" effect_metric_id, effect_direction, effect_window_s{names})"
        f" VALUES ('PR-T', 'x', 1, 'info', 1, 'low', 600"
        f"{', %s' * len(columns)}) RETURNING id", *columns.values())[0][0]
    db.sql("INSERT INTO template_actions (template_id, step, action,"
           " target_type, target_relation) VALUES (%s, 1, 'close_valve',"
           " 'valve', %s)", made, relation)
    return made


def plan(db, series, of):
    return db.sql(
        "WITH a AS (INSERT INTO anomalies (series_id, type, direction,"
        " severity, state, rule_id, first_at, last_at, evidence,"
        " knowledge_version) VALUES (%s, 'threshold', 'high', 'critical',"
        " 'open', 'r', now(), now(), '{}', 1) RETURNING id)"
        " INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
        " expires_at, effect_series_id, effect_direction, effect_least,"
        " effect_window_s, command_life_s, reasons, knowledge_version)"
        " SELECT id, %s, 'proposed', now(), now() + '1 h', %s, 'low', 1, 600,"
        " 300, '{}', 1 FROM a RETURNING before_s, dwell_s, control_series_id",
        series, of, series)[0]


def test_by_itself_nothing_is_compared(db, places):
    assert plan(db, places["B"], template(db)) == (0, 0, None)


def test_the_plan_keeps_what_its_template_said(db, places):
    t = template(db, before_s=900, dwell_s=120, control="zone")
    assert plan(db, places["B"], t) == (900, 120, places["C"])
    db.sql("UPDATE plan_templates SET dwell_s = 1, control = 'none'"
           " WHERE id = %s", t)
    assert db.sql("SELECT before_s, dwell_s, control_series_id FROM plans"
                  " WHERE template_id = %s", t) == [(900, 120, places["C"])]


def ill(db, series):
    db.sql("INSERT INTO anomalies (series_id, type, direction, severity,"
           " state, rule_id, first_at, last_at, evidence, knowledge_version)"
           " VALUES (%s, 'silence', 'none', 'warning', 'open', 'r', now(),"
           " now(), '{}', 1)", series)


def test_what_is_ill_retired_or_of_another_kind_is_no_control(db, places):
    t = template(db, control="zone")
    ill(db, places["C"])
    assert plan(db, places["B"], t)[2] == places["D"]
    db.sql("UPDATE series SET retired_at = now() WHERE id = %s", places["D"])
    db.sql("UPDATE anomalies SET state = 'cleared'")
    assert plan(db, places["B"], t)[2] == places["C"]
    db.sql("UPDATE nodes SET type = 'dma' WHERE code = 'PR-C'")
    db.sql("UPDATE anomalies SET state = 'cleared'")
    assert plan(db, places["B"], t)[2] is None


def test_what_the_actions_move_is_no_control(db, places):
    link(db, "PR-W", "PR-C", "PR-B")
    assert plan(db, places["B"],
                template(db, control="zone"))[2] == places["D"]
    db.sql("UPDATE anomalies SET state = 'cleared'")
    link(db, "PR-X", "PR-A", "PR-D")
    db.sql("UPDATE template_actions SET target_relation = 'zone'")
    t = db.sql("SELECT id FROM plan_templates WHERE code = 'PR-T'")[0][0]
    assert plan(db, places["B"], t)[2] is None


def test_a_neighbour_is_joined_by_a_link(db, places):
    db.sql("UPDATE nodes SET type = 'dma' WHERE code IN ('PR-C', 'PR-D')")
    t = template(db, control="zone")
    assert plan(db, places["B"], t)[2] is None
    db.sql("UPDATE anomalies SET state = 'cleared'")
    db.sql("UPDATE plan_templates SET control = 'neighbour'")
    assert plan(db, places["B"], t)[2] == places["E"]


def test_over_the_api(db):
    template(db)
    body, etag = db.run("template_proof_get", "PR-T")[0]
    assert body == {"template": "PR-T", "before_s": 600, "dwell_s": 0,
                    "after_s": 600, "control": "none"}
    changed, newer, _ = db.run("template_proof_put", "PR-T", json.dumps(
        {"before_s": 60, "dwell_s": 5, "control": "neighbour"}), etag)[0]
    assert changed == {"template": "PR-T", "before_s": 60, "dwell_s": 5,
                       "after_s": 600, "control": "neighbour"}
    for status, words, args in (
            (412, "version", ("PR-T", "{}", etag)),
            (404, "no plan template", ("PR-X", "{}", None))):
        with pytest.raises(Refused) as caught:
            db.run("template_proof_put", *args)
        assert caught.value.args[0] == status
        assert words in caught.value.args[1]
    assert db.run("template_proof_put", "PR-T", "{}", newer)[0][0] == body


def verdict(db, plan_id, word):
    db.sql("UPDATE plans SET state = %s, verdict = jsonb_build_object("
           "'verdict', %s::text, 'effect', -5), closed_at = now()"
           " WHERE id = %s", word, word, plan_id)


def test_figures_count_once_an_engineer_accepts(db, places):
    t = template(db)
    for word in "worked", "worked", "worse", "no_effect", "not_provable":
        plan(db, places["B"], t)
        verdict(db, db.sql("SELECT max(id) FROM plans")[0][0], word)
        db.sql("UPDATE anomalies SET state = 'cleared'")
    plan(db, places["B"], t)
    body, = db.run("template_figures_get", "PR-T")[0]
    assert body["accepted"] is None
    assert body["proposed"] == {"trials": 4, "successes": 2}
    assert [p["verdict"] for p in body["plans"]] == [
        "not_provable", "no_effect", "worse", "worked", "worked"]
    assert body["plans"][0]["effect"] == -5
    for status, words, args in (
            (409, "2 of 4", ("PR-T", '{"trials": 4, "successes": 3}', "x")),
            (404, "no plan template", ("PR-X", "{}", "x"))):
        with pytest.raises(Refused) as caught:
            db.run("template_figures_accept", *args)
        assert caught.value.args[0] == status
        assert words in caught.value.args[1]
    figures = ("SELECT trials, successes, accepted_by FROM template_figures"
               " WHERE template_id = %s")
    assert db.sql(figures, t) == []
    body, _, _ = db.run("template_figures_accept", "PR-T",
                        '{"trials": 4, "successes": 2}', "emil")[0]
    assert body["accepted"]["by"] == "emil"
    assert db.sql(figures, t) == [(4, 2, "emil")]
    db.sql("UPDATE anomalies SET state = 'cleared'")
    plan(db, places["B"], t)
    verdict(db, db.sql("SELECT max(id) FROM plans")[0][0], "worked")
    body, = db.run("template_figures_get", "PR-T")[0]
    assert body["proposed"] == {"trials": 5, "successes": 3}
    assert body["accepted"]["trials"] == 4
    db.run("template_figures_accept", "PR-T",
           '{"trials": 5, "successes": 3}', "eva")
    assert db.sql(figures, t) == [(5, 3, "eva")]


@pytest.mark.parametrize("began, sent, first", (
    ("09:00", None, "09:45"),     # as it was before sent_at was
    ("09:00", "10:01", "09:46"),  # as long as the template says
    ("09:50", "10:01", "09:50"),  # the anomaly is younger than that
    ("10:09", "10:01", "10:01"),  # a sensor's clock is fast
))
def test_a_dossier_holds_what_the_verdict_rests_on(db, places, began, sent,
                                                   first):
    t = template(db, before_s=900, control="zone")
    plan(db, places["B"], t)
    db.sql("UPDATE anomalies SET first_at = %s WHERE id IN (SELECT anomaly_id"
           " FROM plans WHERE template_id = %s)", f"2026-01-01 {began}Z", t)
    made = db.sql("UPDATE plans SET decided_at = '2026-01-01 10:00Z',"
                  " sent_at = %s, executed_at = '2026-01-01 10:02Z',"
                  " closed_at = '2026-01-01 10:30Z', state = 'worked'"
                  " WHERE template_id = %s RETURNING id",
                  sent and f"2026-01-01 {sent}Z", t)[0][0]
    dossier, = db.sql("SELECT dossier_json(p) FROM plans p WHERE id = %s",
                      made)[0]
    for what, node_code in ("effect", "PR-B"), ("control", "PR-C"):
        got = dossier["readings"][what]
        assert (got["node"], got["from"], got["to"]) == (
            node_code, f"2026-01-01T{first}:00Z", "2026-01-01T10:30:00Z")
