"""The archive's nightly run: by the clock, after a night that was missed, and
after one that failed; and what /ready tells of it."""

import shutil
import time

import pytest

from support.clock import LIBRARY, Clock
from support.service import wait_for

MARCH = "2025-03-01T00:00:00Z"
DAY_S = 86400


@pytest.fixture
def keeper(own_service):
    """A service with readings of March 2025, which are due."""
    s = own_service(PENSTOCK_LOOP_PERIOD=200)
    s.start()
    s.make_series("N1", "flow")
    answer = s.call("POST", "/api/v1/readings", "device", json={"readings": [
        {"node": "N1", "metric": "flow", "ts": f"2025-03-{d:02}T06:00:00Z",
         "value": d} for d in range(1, 32)]})
    assert answer.json()["accepted"] == 31
    wait_for("the log is merged",
             lambda: s.sql("SELECT count(*) FROM ingest_log") == [(0,)])
    wait_for("the first run", lambda: ran(s) == [None])
    s.lib("halt archive TERM 5")
    put = s.call("PUT", "/api/v1/retention/operational", "admin",
                 json={"keep_days": 60})
    assert put.status_code == 200, put.text
    return s


def ran(s):
    """The error, or None, of each run that has ended."""
    return [error for error, in s.sql(
        "SELECT error FROM archive_runs WHERE ended_at IS NOT NULL "
        "ORDER BY id")]


def told(s):
    answer = s.call("GET", "/ready")
    assert answer.status_code == 200  # nobody is sent away for it
    body = answer.json()
    it = next(d for d in body["dependencies"] if d["name"] == "archive")
    assert body["status"] == "degraded" or it["ok"]
    return it["ok"], it["state"]


def tells(s, ok, words):
    wait_for(f"/ready tells {words}",
             lambda: told(s)[0] == ok and words in told(s)[1])


def states(s):
    items = s.call("GET", "/api/v1/archives", "viewer").json()["items"]
    return {a["from"]: a["state"] for a in items}


def miss(s, days=3):
    s.sql("UPDATE archive_runs SET began_at = began_at - %s * "
          "interval '1 day', said_at = said_at - %s * interval '1 day'",
          days, days)


def start(s, **settings):
    words = " ".join(f"{k}={v}" for k, v in settings.items())
    s.lib(f"service_env; export PATH {words}; archive_start")


def test_a_night_that_was_missed(keeper):
    miss(keeper)
    tells(keeper, False, "nobody archives them")
    start(keeper)
    wait_for("March is archived",
             lambda: states(keeper) == {MARCH: "dropped"}, 40)
    wait_for("it has ended", lambda: ran(keeper) == [None, None])
    tells(keeper, True, "1 months in the last run")
    answer = keeper.call("GET", "/api/v1/readings", "viewer", params={
        "node": "N1", "metric": "flow", "from": MARCH,
        "to": "2025-04-01T00:00:00Z", "limit": 100}).json()
    assert answer["source"] == "cold" and len(answer["items"]) == 31
    text = keeper.call("GET", "/metrics").text
    assert "\npenstock_archive_run_ok 1\n" in text
    assert "\npenstock_archive_run_readings 31\n" in text

    # Tonight's run has been: another start leaves it at that.
    keeper.lib("halt archive TERM 5")
    start(keeper)
    time.sleep(2)
    assert len(ran(keeper)) == 2


def test_a_run_that_fails_is_told_and_done_again(keeper):
    miss(keeper)
    place = keeper.state / "archive"
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("no folder\n")
    start(keeper)
    wait_for("it has failed", lambda: len(ran(keeper)) == 2)
    assert ran(keeper)[1]
    tells(keeper, False, "failed: ")
    assert states(keeper) == {MARCH: "writing"}

    # Killed halfway, the next one says so and takes it up.
    keeper.kill("archive")
    keeper.sql("INSERT INTO archive_runs (due, at) "
               "VALUES (true, 'operational 2025-03-14')")
    tells(keeper, True, "at work: operational 2025-03-14")
    place.unlink()
    start(keeper)
    wait_for("March is archived",
             lambda: states(keeper) == {MARCH: "dropped"}, 40)
    wait_for("it has ended", lambda: len(ran(keeper)) == 4)
    assert ran(keeper)[2:] == ["it was ended before it had done", None]


def test_it_goes_by_the_clock(keeper):
    """Shortly before half past two it waits, then it works."""
    clock = Clock(keeper.folder / "clock")
    library = keeper.folder / "clock_shift.so"
    shutil.copy(LIBRARY, library)
    ahead = (2 * 3600 + 30 * 60 - 20 - time.time()) % DAY_S
    clock.shift(int(ahead * 1e6))
    start(keeper, LD_PRELOAD=library, CLOCK_SHIFT=keeper.folder / "clock")
    time.sleep(1)
    assert ran(keeper) == [None] and states(keeper) == {}
    wait_for("March is archived",
             lambda: states(keeper) == {MARCH: "dropped"}, 60)
