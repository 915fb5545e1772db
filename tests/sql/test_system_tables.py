"""Which zones are learnt as systems, and which have steps to judge."""
import datetime
import json

from test_leaks_tables import execute



def make(db, zone, *names):
    """Series of nodes "name/metric", rising."""
    ids = []
    for name in names:
        node, metric = name.split("/")
        if not db.sql("SELECT 1 FROM nodes WHERE code = %s", node):
            db.run("nodes_create", json.dumps({
                "code": node, "type": "tank", "zone": zone}))
        db.run("series_create", json.dumps({"node": node, "metric": metric}))
        ids += db.sql("SELECT max(id) FROM series")[0]
    return ids


def number(db, zone):
    return db.sql("SELECT id FROM zones WHERE code = %s", zone)[0][0]


def heard(db, series, ts):
    db.sql("INSERT INTO series_latest (series, ts, value, quality, "
           "received_at) VALUES (%s, %s, 1, 0, now()) "
           "ON CONFLICT (series) DO UPDATE SET ts = excluded.ts", series, ts)


def others_are_done(db):
    """Zones that other suites left are not due."""
    db.sql("INSERT INTO system_states (zone_id, tried_at) "
           "SELECT id, 'infinity' FROM zones ON CONFLICT (zone_id) "
           "DO UPDATE SET tried_at = 'infinity', state = NULL")


def learnt(db, zone, members, step_s=3600):
    db.sql("INSERT INTO system_states (zone_id, tried_at, offered, members, "
           "step_s, fitted_at, upto, told, state) VALUES (%s, "
           "now() - interval '1 day', %s, %s, %s, now() - interval '1 day', "
           "'2026-03-01T00:00Z', '2026-03-01T00:00Z', '\\x01') "
           "ON CONFLICT (zone_id) DO UPDATE SET tried_at = excluded.tried_at, "
           "offered = excluded.offered, members = excluded.members, "
           "step_s = excluded.step_s, fitted_at = excluded.fitted_at, "
           "upto = excluded.upto, told = excluded.told, "
           "state = excluded.state", number(db, zone), members, members,
           step_s)


def to_learn(db, began="now()"):
    rows = db.run("fit_systems_next", db.sql(f"SELECT ({began})::text")[0][0])
    assert all(systems >= 1 for _, _, systems in rows)
    return [(zone, code) for zone, code, _ in rows]


def test_a_zone_is_learnt_once_a_night_and_when_it_changed(db):
    others_are_done(db)
    ids = make(db, "st-a", "ST-T/level", "ST-P/status", "ST-M/volume")
    zone = number(db, "st-a")
    assert to_learn(db) == [(zone, "st-a")]
    # It was tried since.
    assert to_learn(db) == []
    signals = ids[:2]  # a volume is counted, not read
    assert [r[:4] for r in db.run("fit_system_series", zone)] == [
        (signals[0], "ST-T", "level", False),
        (signals[1], "ST-P", "status", True)]
    learnt(db, "st-a", signals)
    assert to_learn(db) == []
    db.sql("UPDATE system_states SET fitted_at = now() - interval '7 days' "
           "WHERE zone_id = %s", zone)
    assert to_learn(db) == [(zone, "st-a")]
    learnt(db, "st-a", signals)
    db.run("zone_controls_put", "st-a", "[]")
    assert to_learn(db) == [(zone, "st-a")]
    db.sql("UPDATE zones SET controls_at = NULL WHERE id = %s", zone)
    learnt(db, "st-a", signals)
    make(db, "st-a", "ST-Q/flow")
    assert to_learn(db) == [(zone, "st-a")]
    learnt(db, "st-a", signals)
    db.run("nodes_retire", "ST-Q", None)
    assert to_learn(db) == []
    # One series is no system.
    db.run("nodes_retire", "ST-P", None)
    assert to_learn(db) == []


def due(db, zone, now):
    rows = db.run("cycle_systems_due", now, 1000000)
    return (number(db, zone),) in rows


def ready(db, zone, now):
    (row,) = db.run("cycle_system_take", number(db, zone), now)
    return row[5].astimezone(datetime.timezone.utc).strftime("%dT%H:%M")


def test_a_step_is_judged_once_all_were_heard_after_it(db):
    one, other = make(db, "st-b", "ST-T/level", "ST-P/status")
    learnt(db, "st-b", [one, other])
    late = "2026-03-20T00:00Z"
    assert not due(db, "st-b", late)
    heard(db, one, "2026-03-01T00:30Z")
    heard(db, other, "2026-03-01T00:59Z")
    assert not due(db, "st-b", late)
    heard(db, one, "2026-03-01T01:30Z")
    assert not due(db, "st-b", late)
    heard(db, other, "2026-03-01T01:00Z")
    assert due(db, "st-b", late)
    assert ready(db, "st-b", late) == "01T01:00"
    # A step has to be over for as long as it lasts.
    assert not due(db, "st-b", "2026-03-01T01:59Z")
    assert due(db, "st-b", "2026-03-01T02:00Z")
    # The one that is silent is waited for three hours.
    heard(db, one, "2026-03-01T09:10Z")
    assert ready(db, "st-b", late) == "01T06:00"


def test_what_was_learnt_anew_meanwhile_is_not_overwritten(db):
    ids = make(db, "st-c", "ST-T/level", "ST-P/status")
    learnt(db, "st-c", ids)
    zone = number(db, "st-c")
    heard(db, ids[0], "2026-03-02T00:00Z")
    (row,) = db.run("cycle_system_take", zone, "2026-03-20T00:00Z")

    def put(fitted_at, state):
        execute(db, "cycle_system_put", "(%s, %s, '2026-03-01T05:00Z', "
                "'2026-03-01T06:00Z', '{}', %s, '1', 'warning', "
                "'2026-03-01T04:00Z', 2, 0, 1, %s)", zone, state, ids[1],
                fitted_at)
        return db.sql("SELECT state, upto, told, lead, manipulation FROM "
                      "system_states WHERE zone_id = %s", zone)[0]
    before = put(row[13] - datetime.timedelta(microseconds=1), b"\2")
    assert bytes(before[0]) == b"\1" and before[3] is None
    after = put(row[13], b"\2")
    assert bytes(after[0]) == b"\2" and after[3:] == (ids[1], True)
    # Without a new state the old one stays.
    assert bytes(put(row[13], None)[0]) == b"\2"
    execute(db, "cycle_system_void", "(%s, %s, 'why')", zone, row[13])
    assert db.run("cycle_system_take", zone, "2026-03-20T00:00Z") == []


def test_a_zone_whose_series_left_is_let_go(db):
    """Moved to another zone or retired: nobody would learn it anew."""
    ids = make(db, "st-h", "ST-T/level", "ST-P/status", "ST-M/flow")
    learnt(db, "st-h", ids)
    late = "2026-03-20T00:00Z"
    zone = number(db, "st-h")

    def gone():
        (row,) = db.run("cycle_system_take", zone, late)
        assert due(db, "st-h", late) is row[14]
        return row[14]
    assert gone() is False
    db.run("nodes_change", "ST-M", json.dumps({"zone": "st-i"}), None)
    assert gone() is False
    db.run("nodes_retire", "ST-P", None)
    assert gone() is True
    (row,) = db.run("cycle_system_take", zone, late)
    execute(db, "cycle_system_void", "(%s, %s, 'too few')", zone, row[13])
    assert not due(db, "st-h", late)
    assert db.body("system_get", "st-h")["reason"] == "too few"


def test_learning_anew_tells_nothing_twice(db):
    ids = make(db, "st-d", "ST-T/level", "ST-P/status")
    learnt(db, "st-d", ids)
    zone = number(db, "st-d")
    db.sql("UPDATE system_states SET told = '2026-03-05T00:00Z' "
           "WHERE zone_id = %s", zone)
    assert db.run("fit_system_span", zone, "2026-03-20T00:00Z", 3600, ids)[0][
        0].isoformat() == "2026-03-01T00:00:00+00:00"
    assert db.run("fit_system_span", zone, "2026-03-20T00:00Z", 300, ids) == [
        (None,)]
    execute(db, "fit_system_put", "(%s, %s, %s, 3600, '2026-01-01T00:00Z', "
            "'2026-03-01T00:00Z', '\\x07')", zone, ids, ids)
    assert db.sql("SELECT state = '\\x07', upto = '2026-03-01T00:00Z', "
                  "told = '2026-03-05T00:00Z', fitted_at = tried_at "
                  "FROM system_states WHERE zone_id = %s", zone) == [
        (True, True, True, True)]


def test_what_was_odd_is_not_learnt(db):
    ids = make(db, "st-e", "ST-T/level", "ST-P/status")
    for kind in ("joint", "manipulation", "leak"):
        db.sql("INSERT INTO anomalies (series_id, type, direction, severity, "
               "state, rule_id, first_at, last_at, evidence, "
               "knowledge_version) VALUES (%s, %s, 'none', 'info', 'open', "
               "'x', '2026-01-01T00:00Z', '2026-02-01T00:00Z', '{}', 1)",
               ids[0], kind)
    spans = db.run("fit_system_odd", number(db, "st-e"),
                   "2026-01-02T00:00Z", "2026-03-01T00:00Z")
    assert sorted((b - a).days for a, b in spans) == [14, 31]
    assert db.run("fit_system_odd", number(db, "st-e"), "2026-02-02T00:00Z",
                  "2026-03-01T00:00Z") == []


def test_controls_name_the_series_they_are_about(db):
    make(db, "st-f", "ST-T1/level", "S_st-p9/opening", "ST-P/status")
    body = db.body("zone_controls_put", "st-f", json.dumps([
        {"link": "ST-p9", "open": True, "node": "st-t1", "above": False,
         "level": 1.5},
        {"link": "ST-P", "open": False, "node": "ST-X", "above": True,
         "level": 4}]))
    assert [(c["state"], c["when"], c["status_of"], c["level_of"])
            for c in body["controls"]] == [
        ("open", "below", "S_st-p9/opening", "ST-T1/level"),
        ("closed", "above", "ST-P/status", None)]
    rows = db.run("fit_system_controls", number(db, "st-f"))
    assert rows == [("ST-p9", True, "st-t1", False, 1.5),
                    ("ST-P", False, "ST-X", True, 4.0)]
    assert db.body("zone_controls_put", "st-f", "[]")["controls"] == []
    assert db.run("fit_system_controls", number(db, "st-f")) == []
