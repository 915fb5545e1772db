"""Models, forecasts and how they came, as the tables keep them."""
import datetime

import psycopg2
import pytest

from scratch import prepare, role_of
from test_decisions import j, refused, series  # noqa: F401  fixtures

UTC = datetime.timezone.utc
NOW = datetime.datetime.now(UTC)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def flow(db, series):  # noqa: F811
    """A series, and the only one that forecasts are made of here."""
    wanted, = db.sql("SELECT s.id FROM series s JOIN nodes n ON n.id = "
                     "s.node_id JOIN metrics m ON m.id = s.metric_id "
                     "WHERE n.code = 'T-B' AND m.code = 'flow'")[0]
    return wanted


def fitted(db, flow, mae, rival=None, rival_mae=None, wins=True):
    wanted, reigns = db.run(
        "fit_model_put", flow, NOW - 60 * DAY, NOW - 7 * DAY, 7, 100, mae,
        2.0, 90, rival, rival_mae, int(wins), 1, b"model")[0]
    return wanted, reigns


def states(db, flow):
    return db.sql("SELECT version, state, reason FROM models "
                  "WHERE series_id = %s ORDER BY version", flow)


def put(db, name, *args):
    """Of what answers no rows."""
    if name not in db.prepared:
        db.sql(prepare(name))
        db.prepared.add(name)
    db.sql(f"SET LOCAL ROLE {role_of(name)}")
    db.sql(f"EXECUTE test_{name}({', '.join(['%s'] * len(args))})", *args)
    db.sql("RESET ROLE")


def test_a_better_one_takes_the_place_and_a_worse_one_does_not(db, flow):
    first, reigns = fitted(db, flow, 1.0)
    assert reigns
    assert fitted(db, flow, 1.5, first, 1.0, wins=False)[1] is False
    assert [row[:2] for row in states(db, flow)] == [
        (1, "champion"), (2, "challenger")]
    second, reigns = fitted(db, flow, 0.5, first, 1.0)
    assert reigns
    assert states(db, flow) == [
        (1, "retired", "a better one took its place"),
        (2, "retired", "a newer challenger took its place"),
        (3, "champion", "its error is lower than that of version 1")]
    # What was compared with another than reigns now does not reign.
    assert fitted(db, flow, 0.1, first, 1.0)[1] is False
    assert states(db, flow)[-1][1:] == (
        "challenger", "another was promoted meanwhile")
    assert db.run("fit_champion", flow)[0][0] == second
    # Nobody could be compared with what another release has written.
    assert fitted(db, flow, 0.5, second)[1]
    assert states(db, flow)[-1][1:] == (
        "champion", "version 3 is of another format")


def test_old_ones_go(db, flow):
    rival = None
    for i in range(5):
        rival, _ = fitted(db, flow, 5 - i, rival, 9)
        fitted(db, flow, 9, rival, 1, wins=False)
    rows = db.sql("SELECT version, state, crowned_at IS NULL FROM models "
                  "WHERE series_id = %s ORDER BY version", flow)
    assert rows == [
        (3, "retired", False), (4, "retired", True), (5, "retired", False),
        (6, "retired", True), (7, "retired", False), (8, "retired", True),
        (9, "champion", False), (10, "challenger", True)]


def test_a_person_promotes_with_a_reason(db, flow):
    first, _ = fitted(db, flow, 1.0)
    other, _ = fitted(db, flow, 1.5, first, 1.0, wins=False)
    body = db.run("models_promote", other, j(reason="It knows the new main"),
                  "erin")[0][0]
    assert (body["id"], body["state"], body["reason"]) == (
        other, "champion", "promoted by erin")
    assert body["promoted"]["by"] == "erin"
    assert body["promoted"]["reason"] == "It knows the new main"
    assert states(db, flow)[0][1:] == (
        "retired", "erin promoted version 2")
    refused(db, 409, "", "already", "models_promote", other, j(reason="x"),
            "erin")
    refused(db, 404, "", "no model", "models_promote", 99999999,
            j(reason="x"), "erin")
    # What nights do is not in the record of changes, what people do is.
    kept = db.sql("SELECT op, after ? 'model', after->>'promoted_why' FROM "
                  "audit_pending WHERE source = 'models'")
    assert kept == [("update", False, "It knows the new main")]
    # Back again.
    db.run("models_promote", first, j(reason="It did not"), "erin")
    assert [s for _, s, _ in states(db, flow)] == ["champion", "retired"]


def test_one_of_another_format_cannot_be_promoted(db, flow):
    first, _ = fitted(db, flow, 1.0)
    fitted(db, flow, 1.0)
    db.sql("UPDATE models SET format = 2 WHERE id <> %s AND series_id = %s",
           first, flow)
    db.sql("UPDATE models SET state = 'retired' WHERE id = %s", first)
    refused(db, 409, "", "format", "models_promote", first, j(reason="x"),
            "erin")


def test_the_night_begins_in_its_zone(db):
    """The run of the newest hh:mm in the zone, until its time is over."""
    db.sql("DELETE FROM fit_runs")
    zone = "Asia/Kolkata"  # its clocks are never changed
    at, due = db.sql(
        "SELECT to_char(t, 'HH24:MI'), date_trunc('minute', t) AT TIME ZONE %s"
        " FROM (SELECT now() AT TIME ZONE %s AS t) n", zone, zone)[0]
    run, began, left = db.run("fit_run", zone, at, 3600)[0]
    assert db.run("fit_run", zone, at, 3600)[0][:2] == (run, began)
    assert db.sql("SELECT night FROM fit_runs")[0][0] == due
    assert 3600 - 61 < left <= 3600
    ahead, = db.sql("SELECT to_char((now() + interval '2 min') AT TIME ZONE "
                    "%s, 'HH24:MI')", zone)[0]
    # In two minutes: so the night before is meant, and long over.
    assert db.run("fit_run", zone, ahead, 3600) == []
    assert db.sql("SELECT ended_at IS NULL FROM fit_runs") == [(False,)]
    # What has ended is not begun again.
    assert db.run("fit_run", zone, at, 3600) == []


def test_who_waited_longest_goes_first(db, flow):
    def due(since):
        return [s for s, in db.run("fit_learn_next", since, 100000)]
    others = set(due(NOW)) - {flow}
    assert flow in due(NOW)
    put(db, "fit_claim", flow, 1)
    assert flow not in due(NOW) and others <= set(due(NOW))
    later = NOW + DAY
    assert due(later)[-1] == flow


def test_a_champion_forecasts_each_night_and_when_it_begins_to_reign(
        db, flow):
    def due(since):
        return flow in [s for s, in db.run("fit_predict_next", since, 100000)]
    assert not due(NOW)
    model, _ = fitted(db, flow, 1.0)
    assert due(None) and due(NOW)
    put(db, "fit_claim", flow, 0)
    assert not due(None) and not due(NOW) and due(NOW + DAY)
    other, _ = fitted(db, flow, 1.5, model, 1.0, wins=False)
    db.run("models_promote", other, j(reason="x"), "erin")
    assert due(None)


def forecast(db, flow, model, origin=HOUR, hours=168):
    value = [10.0 + i for i in range(hours)]
    value[2] = float("nan")
    put(db, "fit_prediction_put", flow, model, origin, value,
        [v - 1 for v in value], [v + 1 for v in value])


def test_the_newest_forecast_is_cut_to_what_is_asked(db, flow):
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 1)
    forecast(db, flow, model)
    body = db.body("predictions_get", "T-B", "flow", "4h")
    assert [p["value"] for p in body["points"]] == [10, 11, 13]
    assert body["points"][0]["lower95"] == 9
    assert (body["unit"], body["stale"], body["reason"]) == (
        "m3/h", False, None)
    assert body["model"] == {"id": model, "version": 1}
    assert body["tested"] == {"hours": 100, "mae": 1.0, "naive_mae": 2.0,
                              "skill": 0.5, "coverage": 0.9}
    assert body["tracked"] is None
    assert len(db.body("predictions_get", "T-B", None, None)["points"]) == 167
    assert len(db.body("predictions_get", "T-B", None, "2d")["points"]) == 47
    for wrong in ("0h", "169h", "8d", "24", "1w", "h", "99999h"):
        refused(db, 422, "", "horizon", "predictions_get", "T-B", "flow",
                wrong)
    assert db.run("predictions_get", "T-NO", "flow", None) == []
    # The same origin again replaces, another stands beside it.
    forecast(db, flow, model)
    forecast(db, flow, model, HOUR - DAY)
    assert db.sql("SELECT count(*) FROM predictions WHERE series_id = %s",
                  flow)[0][0] == 2


def test_an_old_forecast_says_that_it_is(db, flow):
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 0)
    forecast(db, flow, model, HOUR - 3 * DAY)
    put(db, "fit_note", None, flow, "no reading came", 0, 0, 0, 0)
    body = db.body("predictions_get", "T-B", "flow", None)
    assert (body["stale"], body["reason"]) == (True, "no reading came")
    assert len(body["points"]) == 167


def test_without_a_model_it_says_why(db, flow):
    body = db.body("predictions_get", "T-B", "flow", None)
    assert (body["reason"], body["points"], body["model"]) == (
        "its turn has not come yet", [], None)
    put(db, "fit_claim", flow, 1)
    put(db, "fit_note", None, flow, "too short", 0, 0, 0, 1)
    body = db.body("predictions_get", "T-B", "flow", None)
    assert (body["reason"], body["tested"]) == ("too short", None)


def scores(db, model, **other):
    row = {"lead": 0, "hours": 24, "error": 12.0, "naive": 24.0,
           "inside": 23, "day": HOUR.replace(hour=0) - DAY, **other}
    put(db, "fit_scores_put", [model], [row["day"]], [row["lead"]],
        [row["hours"]], [row["error"]], [row["naive"]], [row["inside"]])


def test_how_it_came_is_told_by_days_ahead(db, flow):
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 1)
    forecast(db, flow, model)
    scores(db, model, error=99)
    scores(db, model)
    scores(db, model, lead=3, error=24.0, inside=20)
    scores(db, model, lead=5, day=HOUR - 40 * DAY)
    told = db.body("predictions_get", "T-B", "flow", None)["tracked"]
    assert (told["hours"], told["mae"], told["skill"]) == (48, 0.75, 0.25)
    assert told["coverage"] == pytest.approx(43 / 48)
    assert [(a["days"], a["skill"]) for a in told["ahead"]] == [
        (0, 0.5), (3, 0.0)]
    listed = db.body("models_list", "T-B", "flow", "champion", 10, None)
    assert listed["items"][0]["tracked"] == told
    assert db.body("models_list", "T-B", None, None, 10, str(model)) == {
        "items": [], "next": None, "run": listed["run"]}


def test_a_run_counts_and_says_what_is_left(db, flow):
    db.sql("DELETE FROM fit_runs")
    at, = db.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'HH24:MI')")[0]
    run, began, _ = db.run("fit_run", "UTC", at, 3600)[0]
    left = len(db.run("fit_learn_next", began, 100000))
    put(db, "fit_claim", flow, 1)
    put(db, "fit_note", run, flow, None, 1, 1, 1, 0)
    assert db.run("fit_end", run)[0] == (1, 1, 1, 0, left - 1)


def test_the_clock_is_put_forward_and_back(db):
    def zone(name):
        return db.run("fit_zone", name, datetime.datetime(2026, 1, 1, tzinfo=UTC),
                      datetime.datetime(2026, 12, 31, tzinfo=UTC))
    assert [ahead for _, ahead in zone("UTC")] == [0]
    berlin = zone("Europe/Berlin")
    assert [ahead for _, ahead in berlin] == [3600, 7200, 3600]
    assert [t.astimezone(UTC) for t, _ in berlin[1:]] == [
        datetime.datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime.datetime(2026, 10, 25, 1, tzinfo=UTC)]
    with pytest.raises(psycopg2.Error, match="time zone"):
        zone("Europe/Nowhere")


def holidays(*days):
    return j(holidays=[{"date": d, "name": n} if n else {"date": d}
                       for d, n in days])


def test_holidays_are_replaced_and_what_stays_is_no_change(db):
    db.sql("DELETE FROM holidays")
    db.sql("DELETE FROM audit_pending")
    first = db.run("holidays_put", holidays(
        ("2027-01-01", None), ("2026-12-25", "Christmas"),
        ("2028-02-29", "Leap")), None)[0]
    assert first[0] == {"holidays": [
        {"date": "2026-12-25", "name": "Christmas"},
        {"date": "2027-01-01", "name": None},
        {"date": "2028-02-29", "name": "Leap"}]}
    assert db.run("holidays_get")[0] == first[:2]
    assert db.run("fit_holidays", 2) == [(20812, "Christmas"), (20819, "")]
    db.sql("DELETE FROM audit_pending")
    second = db.run("holidays_put", holidays(
        ("2026-12-25", "Christmas Day"), ("2027-01-01", None)), first[1])[0]
    assert second[1] != first[1]
    assert db.sql("SELECT op, subject FROM audit_pending WHERE "
                  "source = 'holidays' ORDER BY n") == [
        ("delete", "2028-02-29"), ("update", "2026-12-25")]
    refused(db, 412, "", "read it again", "holidays_put", holidays(),
            first[1])
    assert db.run("holidays_put", holidays(), second[1])[0][0] == {
        "holidays": []}


def test_what_is_no_day_is_refused(db):
    for day in ("2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31",
                "1969-12-31", "2200-01-01", "26-12-2025", "2026-12-00",
                "0x26-12-25", "2026-1-1\n2"):
        refused(db, 422, "/holidays/1/date", "no day", "holidays_put",
                holidays(("2026-12-24", None), (day, None)), None)
    refused(db, 422, "/holidays/2/date", "twice", "holidays_put", holidays(
        ("2026-12-24", None), ("2026-12-25", "A"), ("2026-12-25", "B")), None)


def test_what_the_clocks_do_not_know_is_told(db):
    probe = {zone: db.run("service_probe", zone)[0][12] for zone in (
        "UTC", "Europe/Berlin", "Europe/Nowhere", "", "x; DROP TABLE x")}
    assert probe == {"UTC": True, "Europe/Berlin": True,
                     "Europe/Nowhere": False, "": False,
                     "x; DROP TABLE x": False}


def test_intervals_that_do_not_hold_are_told(db, flow):
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 1)
    forecast(db, flow, model)

    def told():
        return db.body("predictions_get", "T-B", "flow", None)["tracked"]
    scores(db, model, hours=71, inside=0)
    assert told()["calibrated"] is None
    scores(db, model, hours=100, inside=85)
    assert told()["calibrated"] is True
    scores(db, model, lead=3, hours=100, inside=84)
    assert told()["calibrated"] is False
    assert [a["calibrated"] for a in told()["ahead"]] == [True, False]


def test_one_model_and_the_forecasts_of_a_zone(db, flow):
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 1)
    forecast(db, flow, model)
    listed = db.body("models_list", "T-B", "flow", None, 10, None)
    assert db.body("models_get", model) == listed["items"][0]
    assert db.run("models_get", 99999999) == []
    zone = db.sql("SELECT z.code FROM nodes n JOIN zones z ON z.id = n.zone_id"
                  " WHERE n.code = 'T-B'")
    page = db.body("predictions_list", zone[0][0] if zone else None, None,
                   "2h", 100, None)
    mine, = [p for p in page["items"] if p["node"] == "T-B"]
    assert mine == db.body("predictions_get", "T-B", "flow", "2h")
    assert db.body("predictions_list", "NO-ZONE", None, None, 9, None) == {
        "items": [], "next": None}
    refused(db, 422, "", "horizon", "predictions_list", "NO-ZONE", None, "9d",
            9, None)


def test_a_zone_is_told_in_pages(db, flow):
    ids = [n for n, in db.sql("SELECT node FROM forecast_series WHERE metric "
                              "= 'flow' ORDER BY node")]
    seen, cursor = [], None
    while True:
        page = db.body("predictions_list", None, "flow", "1h", 1, cursor)
        seen += [p["node"] for p in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids


def test_what_metrics_tell_of_the_night(db, flow):
    db.sql("DELETE FROM fit_runs")
    bare = db.run("fit_gauges")[0]
    assert bare[:7] == (0, 0, 0, 0, 0, 0, 0)
    at, = db.sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'HH24:MI')")[0]
    run, began, _ = db.run("fit_run", "UTC", at, 3600)[0]
    model, _ = fitted(db, flow, 1.0)
    put(db, "fit_claim", flow, 1)
    forecast(db, flow, model)
    put(db, "fit_note", run, flow, None, 1, 1, 1, 0)
    told = db.run("fit_gauges")[0]
    waiting = len(db.run("fit_learn_next", began, 100000))
    assert told[:6] == (1, 1, 1, 0, waiting,
                        round(began.timestamp() * 1e6))
    assert told[7:9] == (bare[7] + 1, bare[8] - 1)
    assert told[9] >= bare[9] and told[10] == bare[10]
    assert db.run("fit_end", run)
    assert db.run("fit_gauges")[0][4] == waiting
