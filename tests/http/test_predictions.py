"""Forecasts, from the history that is imported to the model that a person
promotes. Each test goes on from what the one before it left."""
import datetime
import json
import math
import os
import random
import signal

import pytest

from support.service import Service, wait_for
from test_imports import begin, good, put

UTC = datetime.timezone.utc
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
NIGHT_S = 82000
MANY = [f"FC-{i}" for i in range(12)]


def now():
    return datetime.datetime.now(UTC)


def usual(t):
    """What the water does: a day's wave, more at the weekend."""
    day = 2 * math.pi * t.hour / 24
    return (60 - 25 * math.cos(day) + 8 * math.sin(2 * day)
            + (12 if t.weekday() > 4 else 0))


def history(node, days, metric="flow", factor=1.0):
    """One reading an hour until the last whole hour."""
    noise = random.Random(node + metric)
    end = now().replace(minute=0, second=0, microsecond=0)
    for i in range(days * 24):
        t = end - days * DAY + i * HOUR
        yield (f"{node},{metric},{t.strftime('%Y-%m-%dT%H:%M:%SZ')},"
               f"{factor * (usual(t) + noise.gauss(0, 2)):.3f}\n")


LATER = list(history("LATER", 70))


def feed(service, lines):
    number = begin(service)
    text = "node,metric,ts,value\n" + "".join(lines)
    accepted, duplicates, rejected = good(put(service, number, 0, text))
    assert (accepted, duplicates, rejected) == (text.count("\n") - 1, 0, 0)


def restart(service, at):
    service.stop()
    service.env["PENSTOCK_FIT_AT"] = at
    service.start()


def begin_night(service):
    """From this minute on; the nights before are a day longer ago."""
    # Who still runs would find its night gone, and begin another.
    service.stop()
    service.lib("postgres_start")
    service.sql("UPDATE fit_runs SET began_at = began_at - interval '1 day', "
                # No two of them the same, not even on the way.
                "night = night - interval '1 day' - id * interval '1 s'")
    service.sql("UPDATE forecast_states SET predicted_at = predicted_at "
                "- interval '1 day', tried_at = tried_at - interval '1 day'")
    service.sql("UPDATE predictions SET made_at = made_at - interval '1 day'")
    service.sql("UPDATE models SET crowned_at = crowned_at - interval '1 day'")
    restart(service, (now() - datetime.timedelta(minutes=1)).strftime("%H:%M"))


def runs(service):
    return service.sql("SELECT id, ended_at IS NOT NULL, predicted, fitted, "
                       "crowned, refused, left_over FROM fit_runs ORDER BY id")


def night(service, many):
    begin_night(service)
    wait_for(f"night {many}", lambda: len(runs(service)) == many
             and runs(service)[-1][1], 120)
    return runs(service)[-1][2:]


@pytest.fixture(scope="module")
def fitted():
    """Seven weeks of a flow and its pressure, nine days of another, of one the
    last of seventy days, and a night."""
    service = Service(PENSTOCK_LOOP_PERIOD=500,
                      PENSTOCK_FIT_BUDGET=NIGHT_S)
    try:
        service.start()
        service.make_series("FORE", "flow", "pressure")
        service.make_series("SHORT", "flow")
        service.make_series("BARE", "flow")
        service.make_series("LATER", "flow")
        feed(service, [*history("FORE", 49),
                       *history("FORE", 49, "pressure", 0.5),
                       *history("SHORT", 9), *LATER[-23 * 24:]])
        service.first_night = night(service, 1)
        yield service
    finally:
        service.remove()


def get(service, path, status=200, **params):
    answer = service.call("GET", path, "viewer", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def forecast(service, node="FORE", **params):
    return get(service, f"/api/v1/predictions/{node}", **params)


def models(service, **params):
    return get(service, "/api/v1/models", **params)["items"]


def when(text):
    return datetime.datetime.fromisoformat(text)


def test_the_night_counts(fitted):
    """Predicted, fitted, crowned, refused, left."""
    assert fitted.first_night == (3, 3, 3, 2, 0)


@pytest.mark.parametrize("metric,factor,unit", [
    ("flow", 1, "m3/h"), ("pressure", 0.5, "m")])
def test_a_forecast_is_like_what_the_water_does(fitted, metric, factor, unit):
    said = forecast(fitted, metric=metric)
    assert (said["unit"], said["stale"], said["reason"]) == (unit, False, None)
    assert len(said["points"]) == 168
    origin = when(said["origin"])
    wrong, inside = [], 0
    for i, p in enumerate(said["points"]):
        t = when(p["ts"])
        assert t == origin + i * HOUR
        assert p["lower95"] < p["value"] < p["upper95"]
        wrong.append(abs(p["value"] / factor - usual(t)))
        inside += p["lower95"] <= factor * usual(t) <= p["upper95"]
    # The wave is 50 high, the noise 2.
    assert sum(wrong) / 168 < 3
    assert inside > 140


def test_the_horizon_is_cut(fitted):
    assert len(forecast(fitted, horizon="24h")["points"]) == 24
    assert len(forecast(fitted, horizon="2d")["points"]) == 48
    get(fitted, "/api/v1/predictions/FORE", 422, horizon="169h")
    get(fitted, "/api/v1/predictions/FORE", 422, horizon="1w")


def test_what_has_no_forecast_says_why(fitted):
    said = forecast(fitted, "SHORT")
    assert (said["points"], said["model"]) == ([], None)
    assert "too short: 9 days, of the 21" in said["reason"]
    assert "no good reading" in forecast(fitted, "BARE")["reason"]
    get(fitted, "/api/v1/predictions/NOWHERE", 404)
    get(fitted, "/api/v1/predictions/SHORT", 404, metric="level")


def test_a_model_is_shown_with_how_it_was_tested(fitted):
    one, = models(fitted, node="FORE", metric="flow")
    assert (one["state"], one["version"]) == ("champion", 1)
    tested = one["tested"]
    assert tested["origins"] == 7 and tested["hours"] == sum(
        range(24, 169, 24))
    # A week before is as wrong as two of the noise; the model as one: 0.29.
    assert 0 < tested["skill"] < 0.6
    assert 0.75 <= tested["coverage"] <= 1
    assert one["tracked"] is None
    assert (when(one["trained_to"]) + 7 * DAY
            == when(forecast(fitted)["origin"]))
    assert {m["metric"] for m in models(fitted, state="champion")} == {
        "flow", "pressure"}


def test_another_night_makes_a_challenger_and_says_how_it_came(fitted):
    before = forecast(fitted)
    feed(fitted, LATER[:-23 * 24])
    # Who takes over forecasts at once, after the one before.
    assert night(fitted, 2) == (4, 3, 1, 2, 0)
    newest, champion = models(fitted, node="FORE", metric="flow")
    assert (newest["state"], champion["state"]) == ("challenger", "champion")
    # Of the same readings it learnt the same.
    assert newest["tested"]["rival"] == champion["id"]
    assert newest["tested"]["mae"] == pytest.approx(
        newest["tested"]["rival_mae"])
    assert newest["reason"] == "its error is not lower than that of version 1"
    after = forecast(fitted)
    assert after["model"] == before["model"]
    assert after["points"] == before["points"]


def test_who_beats_the_champion_takes_its_place(fitted):
    """With ten weeks to learn from instead of two."""
    newest, old = models(fitted, node="LATER", metric="flow")
    assert (newest["version"], newest["state"], newest["reason"]) == (
        2, "champion", "its error is lower than that of version 1")
    assert (old["version"], old["state"]) == (1, "retired")
    assert newest["tested"]["rival"] == old["id"]
    assert newest["tested"]["mae"] < 0.99 * newest["tested"]["rival_mae"]
    assert forecast(fitted, "LATER")["model"]["version"] == 2


def test_what_came_is_held_against_what_was_said(fitted):
    """Of the newest forecast, as if it had been made a week ago."""
    fitted.sql("UPDATE predictions SET origin = origin - interval '7 days', "
               "made_at = made_at - interval '7 days'")
    night(fitted, 3)
    tracked = forecast(fitted)["tracked"]
    assert tracked["hours"] >= 6 * 24
    # It would be far below had other hours been compared.
    assert tracked["skill"] > -0.2 and tracked["coverage"] > 0.7
    assert {a["days"] for a in tracked["ahead"]} >= {1, 2, 3, 4, 5}
    assert models(fitted, node="FORE", metric="flow",
                  state="champion")[0]["tracked"] == tracked


def test_a_restart_changes_nothing(fitted):
    before = forecast(fitted), models(fitted)
    restart(fitted, fitted.env["PENSTOCK_FIT_AT"])
    assert (forecast(fitted), models(fitted)) == before
    assert len(runs(fitted)) == 3


def promote(service, model, role="engineer", **body):
    return service.call("POST", f"/api/v1/models/{model}/promote", role,
                        json=body)


def test_an_engineer_promotes_a_challenger(fitted):
    challenger, = models(fitted, node="FORE", metric="flow",
                         state="challenger")
    champion, = models(fitted, node="FORE", metric="flow", state="champion")
    path = challenger["id"]
    assert promote(fitted, path, "operator", reason="x").status_code == 403
    assert promote(fitted, path).status_code == 422
    answer = promote(fitted, path, reason="It has seen the new main")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "champion"
    assert answer.json()["promoted"]["reason"] == "It has seen the new main"
    assert promote(fitted, path, reason="again").status_code == 409
    # It forecasts at once.
    wait_for("its forecast", lambda: forecast(fitted)["model"]["id"] == path,
             60)
    old, = [m for m in models(fitted, node="FORE", metric="flow")
            if m["id"] == champion["id"]]
    assert (old["state"], "promoted version" in old["reason"]) == (
        "retired", True)
    row = fitted.call("GET", "/api/v1/audit", "admin",
                      params={"node": "FORE", "limit": 1}).json()["items"][0]
    assert row["action"] == "models_promote"
    assert "It has seen the new main" in json.dumps(row["changes"])


def test_a_series_that_falls_silent_keeps_its_forecast_as_stale(fitted):
    """As if a fortnight had passed since its last reading."""
    fitted.sql("UPDATE predictions SET origin = origin - interval '14 days' "
               "WHERE series_id = (SELECT id FROM forecast_series "
               "WHERE node = 'FORE' AND metric = 'pressure')")
    said = forecast(fitted, metric="pressure")
    assert said["stale"] and said["points"] and said["reason"]


def test_a_worker_that_dies_loses_one_series_at_most(fitted):
    fitted.make_many(MANY, "flow")
    feed(fitted, [line for node in MANY for line in history(node, 35)])
    begin_night(fitted)
    wait_for("the first of the night", lambda: len(runs(fitted)) == 4
             and runs(fitted)[-1][3] >= 1, 120, 0.02)
    for pid in fitted.workers():
        os.kill(pid, signal.SIGKILL)
    wait_for("the end of the night", lambda: runs(fitted)[-1][1], 120)
    assert len(runs(fitted)) == 4
    there = [m["node"] for m in models(fitted, state="champion")
             if m["node"] in MANY]
    assert len(MANY) - 1 <= len(there) == len(set(there))
    # Never half of it: who reigns has forecast, or is to, at once.
    for node in there:
        wait_for(node, lambda: forecast(fitted, node)["points"], 60)
    assert fitted.sql("SELECT count(*) FROM predictions p LEFT JOIN models m "
                      "ON m.id = p.model_id WHERE m.id IS NULL") == [(0,)]


def test_who_was_not_reached_goes_first(fitted):
    fitted.env["PENSTOCK_FIT_BUDGET"] = "10"
    begin_night(fitted)  # whose time was over before the service started
    assert len(runs(fitted)) == 4
    fitted.env["PENSTOCK_FIT_BUDGET"] = str(NIGHT_S)
    fitted.sql("UPDATE forecast_states SET tried_at = NULL WHERE series_id = "
               "(SELECT id FROM forecast_series WHERE node = 'FC-7')")
    night(fitted, 5)
    first = fitted.sql("SELECT v.node FROM forecast_states f "
                       "JOIN forecast_series v ON v.id = f.series_id "
                       "ORDER BY f.tried_at LIMIT 1")
    assert first == [("FC-7",)]


def test_a_zone_that_postgresql_does_not_know_is_told(fitted):
    def zone():
        return {d["name"]: d for d in fitted.call("GET", "/ready").json()[
            "dependencies"]}.get("zone")
    assert zone() is None
    was = fitted.env.get("PENSTOCK_ZONE", "UTC")
    fitted.env["PENSTOCK_ZONE"] = "Europe/Nowhere"
    try:
        restart(fitted, fitted.env["PENSTOCK_FIT_AT"])
        told = wait_for("the zone", zone)
        assert not told["ok"] and not told["required"]
        assert "Europe/Nowhere" in told["state"]
        assert fitted.call("GET", "/ready").json()["status"] == "degraded"
    finally:
        fitted.env["PENSTOCK_ZONE"] = was
    restart(fitted, fitted.env["PENSTOCK_FIT_AT"])
