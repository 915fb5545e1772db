"""Which meters make an area, and what becomes of one that is judged anew."""
import json

from scratch import prepare

ROME = "Europe/Rome"


def node(db, code, type="meter", zone=None):
    body = {"code": code, "type": type,
            "series": [{"metric": "flow"}] if type in ("meter", "dma") else []}
    if zone:
        body["zone"] = zone
    db.run("nodes_create", json.dumps(body))


def link(db, one, other):
    db.run("links_create", json.dumps({
        "code": f"{one}-{other}", "type": "pipe", "from_node": one,
        "to_node": other}))


def areas(db):
    """Of ours: zone, and the sign of each meter."""
    found = db.sql(
        "SELECT z.code, a.lead, json_object_agg(n.code, u.sign) "
        "FROM leak_areas a LEFT JOIN zones z ON z.id = a.zone_id, "
        "unnest(a.members, a.signs) u(id, sign) JOIN series s ON s.id = u.id "
        "JOIN nodes n ON n.id = s.node_id WHERE n.code LIKE 'LT-%' "
        "GROUP BY 1, 2")
    return sorted((zone or "", sorted(signs.items()))
                  for zone, _, signs in found)


def test_links_tell_what_feeds_a_zone(db):
    """Source > M1 > zone A, from which M2 leads on to zone B; M3 is inside."""
    node(db, "LT-SOURCE", "reservoir")
    node(db, "LT-M1", zone="lt-a")
    node(db, "LT-J1", "junction", "lt-a")
    node(db, "LT-M2", zone="lt-a")
    node(db, "LT-J2", "junction", "lt-b")
    node(db, "LT-M3", zone="lt-a")
    node(db, "LT-J3", "junction", "lt-a")
    node(db, "LT-D", "dma", "lt-a")
    for way in (("SOURCE", "M1"), ("M1", "J1"), ("J1", "M2"), ("M2", "J2"),
                ("J1", "M3"), ("M3", "J3")):
        link(db, *("LT-" + w for w in way))
    assert areas(db) == [
        ("lt-a", [("LT-D", 1)]), ("lt-a", [("LT-M1", 1), ("LT-M2", -1)]),
        ("lt-a", [("LT-M3", 1)]), ("lt-b", [("LT-M2", 1)])]
    # One lead each: the key of what is remembered.
    leads = db.sql("SELECT lead FROM leak_areas")
    assert len(leads) == len(set(leads))
    db.run("nodes_retire", "LT-M2", None)
    assert areas(db) == [("lt-a", [("LT-D", 1)]), ("lt-a", [("LT-M1", 1)]),
                         ("lt-a", [("LT-M3", 1)])]


def lead(db, code):
    return db.sql("SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id "
                  "WHERE n.code = %s", code)[0][0]


def execute(db, name, arguments="", *args):
    if name not in db.prepared:
        db.sql(prepare(name))
        db.prepared.add(name)
    db.sql(f"EXECUTE test_{name} {arguments}", *args)


def due(db, series, everywhere=True):
    rows = db.run("cycle_leaks_due", "2026-03-10T00:00:00Z",
                  "2026-01-01T00:00:00Z", 1000000, everywhere)
    return [r for r in rows if r[0] == series]


def test_an_area_is_due_once_it_is_heard_after_the_hour(db):
    node(db, "LT-D", "dma", "lt-a")
    one = lead(db, "LT-D")
    assert due(db, one) == []
    db.sql("INSERT INTO series_latest (series, ts, value, quality, "
           "received_at) VALUES (%s, '2026-03-05T10:20Z', 1, 0, now())", one)
    (row,) = due(db, one)
    assert row[1:3] == ("lt-a", '["LT-D/flow"]')
    assert (row[7].isoformat(), row[8].isoformat()) == (
        "2026-01-01T00:00:00+00:00", "2026-03-05T10:00:00+00:00")
    db.sql("INSERT INTO leak_states (lead, members, signs, upto, state) "
           "VALUES (%s, %s, '{1}', '2026-03-05T09:00Z', '\\x01')", one, [one])
    (row,) = due(db, one)
    assert (row[7].isoformat(), bytes(row[9])) == (
        "2026-03-05T09:00:00+00:00", b"\1")
    # Other meters than those that it remembers: it begins anew.
    db.sql("UPDATE leak_states SET signs = '{-1}' WHERE lead = %s", one)
    (row,) = due(db, one)
    assert (row[7].isoformat(), row[9]) == ("2026-01-01T00:00:00+00:00", None)


def test_an_import_has_it_judged_anew_when_it_is_over(db):
    node(db, "LT-D", "dma")
    one = lead(db, "LT-D")
    db.sql("INSERT INTO series_latest (series, ts, value, quality, "
           "received_at) VALUES (%s, '2026-03-05T10:20Z', 1, 0, now())", one)
    db.sql("INSERT INTO leak_states (lead, members, signs, upto, state) "
           "VALUES (%s, %s, '{1}', '2026-03-05T10:00Z', '\\x01')", one, [one])
    assert due(db, one) == []
    execute(db, "import_marks_put", "(%s, '{2026-02-01T00:00Z}', '{1}')",
            [one])
    db.sql("INSERT INTO imports (name, alarms, created_by, last_part_at) "
           "VALUES ('', false, 'x', clock_timestamp())")
    execute(db, "cycle_leaks_again")
    assert due(db, one) == []
    db.sql("UPDATE imports SET state = 'finished'")
    execute(db, "cycle_leaks_again")
    (row,) = due(db, one)
    assert row[9] is None
    assert db.sql("SELECT count(*) FROM leak_again WHERE series = %s",
                  one) == [(0,)]


def test_clocks_that_change_repeat_and_leave_out_an_hour(db):
    def hours(first, last):
        (row,) = db.run("cycle_leaks_clock", first, last, ROME)
        return [h % 24 for h in row[0]]
    assert hours("2026-03-29T00:00Z", "2026-03-29T02:00Z") == [1, 3, 4]
    assert hours("2026-10-24T23:00Z", "2026-10-25T02:00Z") == [1, 2, 2, 3]


def heard(db, series, at="2026-03-05T10:20Z"):
    db.sql("INSERT INTO series_latest (series, ts, value, quality, "
           "received_at) VALUES (%s, %s, 1, 0, now())", series, at)


def judged(db, series, zone=None, said=0):
    execute(db, "cycle_leak_put", "(%s, %s, %s, %s, %s, %s, %s)", series,
            f"{{{series}}}", "{1}", "2026-03-05T09:00Z", b"\1", zone, said)


def test_what_is_known_is_found_by_what_arrived(db):
    """No look at the network; what is judged up to now costs nothing."""
    node(db, "LT-D", "dma", "lt-a")
    one = lead(db, "LT-D")
    heard(db, one)
    assert due(db, one, False) == []
    judged(db, one, "lt-a")
    assert [r[1] for r in due(db, one, False)] == ["lt-a"]
    assert due(db, one, False) == due(db, one)
    db.sql("UPDATE leak_states SET upto = '2026-03-10T00:00Z'")
    assert due(db, one, False) == []


def test_an_area_that_is_no_more_is_forgotten(db):
    node(db, "LT-D", "dma", "lt-a")
    node(db, "LT-E", "dma", "lt-a")
    one, other = lead(db, "LT-D"), lead(db, "LT-E")
    judged(db, one)
    judged(db, other)
    db.run("nodes_retire", "LT-E", None)
    execute(db, "cycle_leaks_sweep")
    assert db.sql("SELECT lead, zone FROM leak_states "
                  "WHERE lead IN (%s, %s)", one, other) == [(one, "lt-a")]


def test_nights_of_years_ago_go(db):
    node(db, "LT-D", "dma")
    one = lead(db, "LT-D")
    for days in ([18000, 19000], [19101]):
        execute(db, "cycle_leak_nights", "(%s, %s, %s, %s)", one, days,
                [1.0] * len(days), [2.0] * len(days))
    assert db.sql("SELECT night - date '1970-01-01' FROM night_flows "
                  "WHERE lead = %s ORDER BY 1", one) == [(19000,), (19101,)]


def told(db, series, kind, first_at="2026-03-04T00:00Z"):
    """An anomaly that a person may resolve."""
    return db.sql(
        "INSERT INTO anomalies (series_id, state, type, direction, severity, "
        "rule_no, rule_id, first_at, last_at, knowledge_version, evidence) "
        "VALUES (%s, 'open', 'leak', 'high', 'warning', 0, 'x', %s, %s, 1, %s) "
        "RETURNING id", series, first_at, first_at,
        json.dumps({"kind": kind}))[0][0]


def resolve(db, number, reason):
    db.run("anomalies_resolve", number, json.dumps({"reason": reason}),
           "somebody", None)


def test_a_person_says_that_it_was_none(db):
    node(db, "LT-D", "dma")
    one = lead(db, "LT-D")
    judged(db, one)
    heard(db, one)
    for reason, said in (("mended", False), ("no_leak", True)):
        number = told(db, one, "step")
        resolve(db, number, reason)
        (row,) = due(db, one)
        assert row[20] is said
        assert db.sql("SELECT facts->>'reason' FROM transitions WHERE "
                      "subject_id = %s", number)[-1] == (reason,)
    judged(db, one, None, 1)
    assert due(db, one)[0][20] is False


def test_the_judge_hears_of_no_other_leak_than_the_one_it_told_last(db):
    """What it learns is the size of its newest step."""
    node(db, "LT-D", "dma")
    one = lead(db, "LT-D")
    judged(db, one)
    heard(db, one)
    rule = db.sql("INSERT INTO anomalies (series_id, state, type, direction, "
                  "severity, rule_no, rule_id, first_at, last_at, alarm_state,"
                  " knowledge_version, evidence) VALUES (%s, 'cleared', "
                  "'leak', 'high', 'info', 7, 'R:x', now(), now(), "
                  "'returned_unacknowledged', 1, '{\"kind\": \"step\"}') "
                  "RETURNING id", one)[0][0]
    resolve(db, rule, "no_leak")
    assert due(db, one)[0][20] is False
    growth = told(db, one, "growth", "2026-02-01T00:00Z")
    resolve(db, growth, "no_leak")
    assert due(db, one)[0][20] is False
    before = told(db, one, "step", "2026-02-20T00:00Z")
    db.sql("UPDATE anomalies SET state = 'cleared', cleared_at = now(), "
           "alarm_state = 'returned_unacknowledged' WHERE id = %s", before)
    told(db, one, "step")
    resolve(db, before, "no_leak")
    assert due(db, one)[0][20] is False


def test_pressures_and_linked_zones_are_asked(db):
    node(db, "LT-A", "dma", "lt-a")
    node(db, "LT-B", "dma", "lt-b")
    node(db, "LT-C", "dma", "lt-c")
    db.run("nodes_create", json.dumps({
        "code": "LT-P", "type": "junction", "zone": "lt-a",
        "series": [{"metric": "pressure"}]}))
    node(db, "LT-J", "junction", "lt-b")
    link(db, "LT-P", "LT-J")
    for code in "abc":
        judged(db, lead(db, f"LT-{code.upper()}"), f"lt-{code}")
    one, other, far = (lead(db, f"LT-{code}") for code in "ABC")

    def around(series, zone, signs="{1}", alone=False):
        members = f"{{{','.join(map(str, series))}}}"
        return db.run("cycle_leaks_around", series[0], zone, members, signs,
                      alone)
    rows = around([one], "lt-a")
    assert [r[:3] for r in rows] == [
        (0, "LT-P", None), (1, "lt-b", None), (2, "LT-A", "flow")]
    assert rows[1][3] == [other]
    own = (2, "LT-C", "flow", [far], [1.0])
    assert around([far], "lt-c") == [own]
    # Its own meters, in their order and with their signs, whatever its zone.
    mixed = [own, (2, "LT-A", "flow", [one], [-1.0])]
    assert around([far, one], "lt-a", "{1,-1}", True) == mixed
    assert around([far, one], None, "{1,-1}") == mixed


def test_the_limit_of_the_open_leak_is_kept(db):
    node(db, "LT-D", "dma")
    one = lead(db, "LT-D")
    judged(db, one)
    heard(db, one)
    told(db, one, "step")
    for band in (3.5, None):
        execute(db, "cycle_leak_tell", "(%s, %s, 0, 9, 9, 0, 9, 0.5, 9, 9, %s)",
                one, "2026-03-04T00:00Z", band)
        assert due(db, one)[0][21] == band
