"""Events: one per change, in its transaction; ids in the order in which they
can be seen, whatever order transactions began or wrote in."""
import json
import os
import subprocess
import threading

import psycopg2
import psycopg2.errors
import pytest

from scratch import Database, Refused, ROOT

MIGRATE = os.environ.get("PENSTOCK_BUILD", str(ROOT / "build")) \
    + "/src/cmd/penstock-migrate"


@pytest.fixture
def own(empty_database):
    """Connections to a database of the test's own."""
    subprocess.run([MIGRATE, "--dir", str(ROOT / "sql/migrations")],
                   check=True, capture_output=True,
                   env={**os.environ, "PENSTOCK_MIGRATE_URL": empty_database})
    made = []

    def connect():
        made.append(psycopg2.connect(empty_database))
        return Database(made[-1])
    yield connect
    for connection in made:
        connection.close()


def make_series(db, *nodes, zone=None):
    for code in nodes:
        db.run("nodes_create", json.dumps({
            "code": code, "type": "junction", "zone": zone,
            "series": [{"metric": "flow"}]}))
    db.connection.commit()


def raise_on(db, node):
    return db.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version)"
        " SELECT s.id, 'threshold', 'high', 'critical', 'open', 'r:1', now(),"
        " now(), '{}', 1 FROM series s JOIN nodes n ON n.id = s.node_id"
        " WHERE n.code = %s RETURNING id", node)[0][0]


def acknowledge(db, anomaly, note):
    db.sql("UPDATE anomalies SET acked_at = now(), acked_by = 'anna',"
           " ack_note = %s WHERE id = %s", note, anomaly)


def events(db, after=0):
    rows = db.run("events_after", str(after), "1000")
    db.connection.commit()
    return [(r[1], r[3], json.loads(r[5])) for r in rows if r[1] is not None]


def test_each_change_is_one_event_and_none_is_left_of_what_is_undone(own):
    db = own()
    make_series(db, "E-1", zone="E-Z")
    first = raise_on(db, "E-1")
    db.connection.rollback()
    assert events(db) == []
    first = raise_on(db, "E-1")
    db.connection.commit()
    db.sql("UPDATE anomalies SET last_at = now(), evidence = '[1]'")
    db.connection.commit()
    acknowledge(db, first, "seen")
    db.connection.commit()
    db.sql("SELECT set_config('penstock.origin', '{\"actor\": \"bob\"}', true)")
    db.sql("UPDATE anomalies SET state = 'cleared', cleared_at = now()")
    db.connection.commit()
    told = events(db)
    assert [t for _, t, _ in told] == [
        "anomaly.open", "anomaly.acknowledged", "anomaly.cleared"]
    assert all(b["id"] == i and b["type"] == t and b["zone"] == "E-Z"
               and b["anomaly"]["id"] == first and b["anomaly"]["node"] == "E-1"
               for i, t, b in told)
    assert told[1][2]["anomaly"]["acked_by"] == "anna"
    assert told[2][2]["actor"] == "bob"
    assert told[0][2]["actor"].startswith("db:")


def test_a_body_is_one_line(own):
    db = own()
    make_series(db, "E-1")
    one = raise_on(db, "E-1")
    acknowledge(db, one, "a\nb\r\n\u2028c")
    db.connection.commit()
    body = db.sql("SELECT body FROM events ORDER BY id DESC LIMIT 1")[0][0]
    assert "\n" not in body and "\r" not in body
    assert json.loads(body)["anomaly"]["ack_note"] == "a\nb\r\n\u2028c"


def test_who_follows_misses_nothing_however_transactions_commit(own):
    """Four writers, each with changes written long before they commit; a
    reader who goes on behind the last that he saw sees all of them."""
    db = own()
    nodes = [f"E-{i}" for i in range(4)]
    make_series(db, *nodes)
    seen, over = [], threading.Event()

    def write(node):
        writer = own()
        for i in range(40):
            one = raise_on(writer, node)  # an earlier number of its own
            writer.sql("SELECT pg_sleep(random() * 0.01)")
            writer.connection.commit()
            writer.sql("UPDATE anomalies SET state = 'cleared',"
                       " cleared_at = now() WHERE id = %s", one)
            writer.sql("SELECT pg_sleep(random() * 0.01)")
            if i % 5 == 4:
                writer.connection.rollback()
                writer.sql("DELETE FROM anomalies WHERE id = %s", one)
            writer.connection.commit()

    def read():
        reader = own()
        at = 0
        while True:
            last = over.is_set()
            for i, _, _ in events(reader, at):
                seen.append(i)
                at = i
            if last:
                return

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(n,)) for n in nodes]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join(120)
    over.set()
    reader.join(120)
    stored = [i for i, in db.sql("SELECT id FROM events ORDER BY id")]
    assert seen == stored and len(seen) == 4 * (40 + 32)


def test_they_are_bounded_by_age_and_number(own):
    db = own()
    make_series(db, "E-1")
    for _ in range(6):
        one = raise_on(db, "E-1")
        db.sql("UPDATE anomalies SET state = 'cleared', cleared_at = now()"
               " WHERE id = %s", one)
        db.connection.commit()
    ids = [i for i, _, _ in events(db)]
    db.sql("UPDATE events SET at = at - interval '3 d' WHERE id <= %s", ids[2])
    db.sql("SELECT events_prune('2 d', 1000)")
    assert [i for i, _, _ in events(db)] == ids[3:]
    db.sql("SELECT events_prune('2 d', 5)")
    assert [i for i, _, _ in events(db)] == ids[-5:]
    assert db.run("events_after", "0", "1")[0][0] == ids[-6]
    db.sql("DELETE FROM events")
    pruned, *none = db.run("events_after", "0", "1")[0]
    assert pruned == ids[-6] and set(none) == {None}
    assert db.run("events_begin", "anna", None) == [(ids[-6], None)]


def test_many_dead_webhooks_leave_places_for_the_well(own):
    db = own()
    make_series(db, "E-1", "E-2")
    dead = [f"DEAD-{i}" for i in range(5)]
    for code in [*dead, "WELL"]:
        db.run("webhooks_create", json.dumps(
            {"code": code, "url": "https://h.example/", "types": ["anomaly"]}))
        db.connection.commit()
    for i, code in enumerate(dead):
        db.sql("UPDATE webhooks SET failures = 3, held_until = now()"
               " - %s * interval '1 s' WHERE code = %s", i, code)
    for node in ("E-1", "E-2"):
        raise_on(db, node)
        db.connection.commit()
    ids = dict(db.sql("SELECT code, id FROM webhooks"))

    def claim(most, ailing, *busy):
        rows = db.run("courier_claim", most, ailing,
                      "{%s}" % ",".join(map(str, busy)), 60)
        db.connection.commit()
        assert all(r[8] == (r[0] != ids["WELL"]) for r in rows)
        return sorted(r[0] for r in rows)

    # Who was held longest is first; the one that is well has both events.
    assert claim(32, 2) == [ids["DEAD-3"], ids["DEAD-4"], *2 * [ids["WELL"]]]
    assert claim(32, 2, ids["DEAD-3"], ids["DEAD-4"]) == [
        ids["DEAD-1"], ids["DEAD-2"]]
    assert claim(32, 0) == []
    assert claim(1, 8, ids["DEAD-3"]) == [ids["DEAD-4"]]


def test_webhooks_wait_for_no_event_that_waits_for_them(own):
    """Changes of webhooks and deliveries among events: none deadlocks."""
    db = own()
    make_series(db, "E-1", "E-2")
    hook = json.dumps({"code": "H", "url": "https://h.example/",
                       "types": ["anomaly"]})
    db.run("webhooks_create", hook)
    db.connection.commit()
    over, wrong = threading.Event(), []

    def work(step):
        mine = own()
        while not over.is_set():
            try:
                step(mine)
                mine.connection.commit()
            except psycopg2.errors.DeadlockDetected as e:
                wrong.append(str(e))
                mine.connection.rollback()
            except Refused:
                mine.connection.rollback()

    def event(node):
        def step(mine):
            one = raise_on(mine, node)
            mine.connection.commit()
            mine.sql("UPDATE anomalies SET state = 'cleared',"
                     " cleared_at = now() WHERE id = %s", one)
        return step

    def settle(mine):
        claimed = mine.run("courier_claim", 8, 8, "{}", 60)
        mine.connection.commit()
        for w, e, attempt, *_ in claimed:
            mine.run("courier_settle", w, e, attempt, e % 2, 500, "no", 0)
            mine.connection.commit()

    def again(mine):
        rows = mine.run("deliveries_list", "H", "dead", "1", None)
        for item in rows and rows[0][0]["items"]:
            mine.run("deliveries_again", "H", str(item["event"]))

    def renew(mine):
        mine.run("webhooks_delete", "H")
        mine.connection.commit()
        mine.run("webhooks_create", hook)

    steps = [event("E-1"), event("E-2"), settle, settle, again, renew,
             lambda m: m.run("webhooks_change", "H", '{"name": "x"}', None)]
    threads = [threading.Thread(target=work, args=(s,)) for s in steps]
    for thread in threads:
        thread.start()
    over.wait(8)
    over.set()
    for thread in threads:
        thread.join(60)
    assert not wrong, wrong[0]
    assert db.sql("SELECT count(*) FROM events WHERE type = 'webhook.dead'"
                  )[0][0] > 0


def rules_told(db, after):
    return [(b["rule"]["table"], b["rule"]["subject"], b["rule"]["from"],
             b["rule"]["to"], b["zone"]) for _, t, b in events(db, after)
            if t == "rule.changed"]


def levels(*high):
    return json.dumps({"thresholds": [
        {"direction": "high", "severity": severity, "set_level": level,
         "clear_level": 1} for severity, level in high]})


@pytest.fixture
def told(own):
    """Does something in one transaction; what that told of rules."""
    db = own()
    make_series(db, "E-1", zone="E-Z")

    def do(*calls):
        newest = db.sql("SELECT coalesce(max(id), 0) FROM events")[0][0]
        for name, *args in calls:
            db.sql(name, *args) if " " in name else db.run(name, *args)
        db.connection.commit()
        return rules_told(db, newest)
    do.db = db
    return do


THRESHOLDS = [("thresholds", "E-1/flow", None, None, "E-Z")]


def put(*high):
    return "thresholds_put", "E-1", "flow", levels(*high), None


def test_changed_thresholds_are_told_once(told):
    assert told(put(("warning", 3), ("critical", 4))) == [], "setting up"
    assert told(put(("warning", 3), ("critical", 4))) == [], "the same"
    assert told(put(("warning", 5), ("critical", 6))) == THRESHOLDS
    assert told(put(("warning", 5))) == THRESHOLDS, "one is gone"
    assert told(put(("warning", 5), ("info", 2))) == []
    told(("UPDATE series SET created_at = now() - interval '2 h'",))
    assert told(put(("warning", 5), ("info", 2), ("critical", 9))
                ) == THRESHOLDS, "one more"
    assert told(("DELETE FROM thresholds",)) == THRESHOLDS


def test_changed_series_classes_and_quiet_are_told(told):
    one = [("series", "E-1/flow", None, None, "E-Z")]

    def change(**members):
        return "series_change", "E-1", "flow", json.dumps(members), None
    assert told(change(silence_s=60)) == one
    assert told(change(silence_s=60)) == [] == told(change(unit="l/s"))
    assert told(change(flatline_s=600)) == one
    assert told(change(retired=True)) == one
    assert told(("alarm_classes_change", "info", '{"needs_ack": true}',
                 None)) == [("alarm_classes", "info", None, None, None)]
    hold = told(("INSERT INTO alarm_holds (kind, zone_id, from_at, reason,"
                 " created_by) SELECT 'maintenance', id, now(), 'w', 'anna'"
                 " FROM zones",))
    assert [(h[0], h[4]) for h in hold] == [("alarm_holds", "E-Z")]
    assert told(("UPDATE alarm_holds SET held = 7",)) == []
    ended = "UPDATE alarm_holds SET ended_at = %s, ended_by = %s"
    assert told((ended, "2026-01-01Z", "anna")) == hold
    told(("UPDATE alarm_holds SET ended_at = NULL, ended_by = NULL",))
    assert told((ended, "2026-01-01Z", "loop")) == []


def test_only_live_rules_are_told(told):
    def change(**members):
        return "rules_change", "R1", json.dumps(members), "anna", None
    rule = {"when": {"series": "E-1/flow", "value": {"above": 1}},
            "severity": "warning", "message": "m"}

    def of(before, now):
        return [("rules", "R1", before, now, None)]
    assert told(("rules_create", json.dumps({"code": "R1", "rule": rule}),
                 "anna")) == [], "it is in shadow"
    assert told(change(mode="live")) == of(None, 1)
    assert told(change(name="n")) == []
    other = {**rule, "message": "n"}
    assert told(change(rule=other, shadow_trial=True)) == []
    assert told(change(version=2)) == of(1, 2)
    assert told(("INSERT INTO rule_states SELECT id, false, 2, '' FROM rules",
                 )) == []
    assert told(("rules_delete", "R1", None)) == of(2, None)
    assert told(("rules_create", json.dumps(
        {"code": "R1", "rule": rule, "mode": "live"}), "anna")) == of(None, 1)
    assert told(change(mode="off")) == of(1, None)


def test_many_changed_series_are_few_events(told):
    make_series(told.db, *(f"M-{i}" for i in range(40)))
    got = told(("UPDATE series SET flatline_s = 60",))
    assert len({subject for _, subject, *_ in got}) == 17 == len(got)
    assert got[-1] == ("series", None, None, None, None)
    # The next transaction tells again.
    assert len(told(("UPDATE series SET flatline_s = 70",))) == 17


def test_webhooks_take_rules(told):
    db = told.db
    db.run("webhooks_create", json.dumps(
        {"code": "H", "url": "https://h.example/", "types": ["rule"],
         "zones": []}))
    db.run("webhooks_create", json.dumps(
        {"code": "I", "url": "https://h.example/", "types": ["anomaly"]}))
    db.connection.commit()
    assert told(("alarm_classes_change", "info", '{"latching": true}', None))
    assert db.sql("SELECT w.code FROM webhook_deliveries JOIN webhooks w"
                  " ON w.id = webhook_id") == [("H",)]
