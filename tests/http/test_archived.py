"""Months of readings in the archive, as those see it who use the API."""
import csv
import datetime
import io
import os
import subprocess

import pytest

from support.service import ROOT, Service, wait_for

UTC = datetime.timezone.utc
START = datetime.datetime(2025, 2, 27, tzinfo=UTC)
MARCH = "2025-03-01T00:00:00Z"
APRIL = "2025-04-01T00:00:00Z"
STEP = datetime.timedelta(minutes=20)
COUNT = 35 * 72  # into April


def when(i):
    return (START + i * STEP).strftime("%Y-%m-%dT%H:%M:%SZ")


def reading(i, value=None, metric="flow"):
    return {"node": "N1", "metric": metric, "ts": when(i),
            "value": i % 50 / 8 if value is None else value}


def is_march(i):
    return MARCH <= when(i) < APRIL


@pytest.fixture(scope="module")
def keeper():
    s = Service(PENSTOCK_LOOP_PERIOD=200)
    s.start()
    s.make_series("N1", "flow", "pressure")
    for at in range(0, COUNT, 2000):
        answer = s.call("POST", "/api/v1/readings", "device", json={
            "readings": [reading(i) for i in range(at, min(at + 2000, COUNT))]
            + [reading(at, metric="pressure")]})
        assert answer.json()["accepted"] > 0, answer.text
    merged(s)
    yield s
    s.remove()


def merged(s):
    wait_for("the log is merged",
             lambda: s.sql("SELECT count(*) FROM ingest_log") == [(0,)])


def archive(s, *args, ok=True, script="archive", **env):
    done = subprocess.run([ROOT / "scripts" / script, *args], text=True,
                          env=s.env | env, capture_output=True, timeout=120)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def get(s, path="/api/v1/readings", **query):
    query = {"node": "N1", "metric": "flow", "from": "2025-02-01T00:00:00Z",
             "to": "2025-05-01T00:00:00Z", "limit": 5000} | query
    return s.call("GET", path, "viewer", params=query)


def items(s, **query):
    answer = get(s, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


DENSE = 40_000  # seconds of a day with a reading each: several blocks


def put_dense(s):
    """As an import would leave it: segments and roll-ups, no log."""
    s.sql("""SELECT segments_ensure(1::int2, '2025-03-20');
        INSERT INTO segments SELECT s.id, 1, min(t), max(t), count(*),
            packed_from(array_agg(t ORDER BY t), array_agg(
                extract(epoch FROM t)::int8 %% 1000 / 8.0 ORDER BY t),
                array_agg(0::int2), array_agg(t + interval '1 s' ORDER BY t))
        FROM series s JOIN metrics m ON m.id = s.metric_id,
            generate_series('2025-03-20', '2025-03-20'::timestamptz
                + %s * interval '1 s', '1 s') t
        WHERE m.code = 'pressure' GROUP BY s.id;
        SELECT rollups_again(s.id, '2025-03-20', '2025-03-21')
        FROM series s JOIN metrics m ON m.id = s.metric_id
        WHERE m.code = 'pressure'""", DENSE - 1)


@pytest.fixture(scope="module")
def archived(keeper):
    """March is archived; what was read before."""
    put_dense(keeper)
    before = items(keeper)
    daily = items(keeper, bucket="1d", limit=None)
    assert len(before) == COUNT
    out = archive(keeper, "run", "--before", APRIL, "--class", "operational",
                  "--grace", "1")
    assert "archived and dropped" in out
    return before, daily


def test_archived_readings_answer_as_before(keeper, archived):
    before, daily = archived
    assert items(keeper) == before
    march = get(keeper, **{"from": "2025-03-10T00:00:00Z",
                            "to": "2025-03-11T12:00:00Z"}).json()
    assert march["source"] == "cold"
    assert march["items"] == [x for x in before if "2025-03-10T00:00:00Z"
                              <= x["ts"] < "2025-03-11T12:00:00Z"]
    assert get(keeper).json()["source"] == "mixed"
    # Days come from roll-ups, which stay.
    assert items(keeper, bucket="1d", limit=None) == daily


def test_pages_meet_at_the_archive(keeper, archived):
    before, _ = archived
    found, cursor = [], None
    while True:
        page = get(keeper, limit=170, **{"cursor": cursor} if cursor
                   else {}).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == before


def test_a_csv_stream_runs_through_it(keeper, archived):
    before, _ = archived
    answer = get(keeper, limit=None, format="csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["ts"], float(r["value"])) for r in rows] == [
        (x["ts"], x["value"]) for x in before]


def test_a_dense_day_is_read_block_by_block(keeper, archived):
    answer = get(keeper, limit=None, format="csv", metric="pressure",
                 **{"from": "2025-03-20T00:00:00Z",
                    "to": "2025-03-21T00:00:00Z"})
    assert answer.status_code == 200
    day = datetime.datetime(2025, 3, 20, tzinfo=UTC)
    epoch = int(day.timestamp())
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) >= DENSE
    assert {r["ts"]: float(r["value"]) for r in rows}.items() >= {
        (day + datetime.timedelta(seconds=i)).strftime("%Y-%m-%dT%H:%M:%SZ"):
        (epoch + i) % 1000 / 8 for i in range(DENSE)}.items()
    assert [r["ts"] for r in rows] == sorted({r["ts"] for r in rows})


def test_the_list_says_what_is_archived(keeper, archived):
    answer = keeper.call("GET", "/api/v1/archives?class=operational",
                          "viewer").json()
    found = {a["from"]: a for a in answer["items"]}
    assert found[MARCH]["state"] == "dropped"
    assert found[MARCH]["to"] == APRIL
    assert found[MARCH]["readings"] == DENSE + sum(map(is_march, [
        *range(COUNT), *range(0, COUNT, 2000)]))
    one = keeper.call("GET", f"/api/v1/archives/{found[MARCH]['id']}",
                       "viewer").json()
    assert len(one["days"]) == 31 == one["files"]
    assert all(len(d["sha256"]) == 64 for d in one["days"])


def test_archived_spans_take_no_readings(keeper, archived):
    late = {"readings": [
        reading(0, 99) | {"ts": "2025-03-05T00:01:00Z"},
        reading(0, 99) | {"ts": "2025-04-03T00:01:00Z"}]}
    answer = keeper.call("POST", "/api/v1/readings", "device",
                          json=late).json()
    assert answer["accepted"] == 1 and answer["rejected"] == 1, answer
    assert [(i["index"], i["reason"]) for i in answer["items"]] == [
        (0, "too_old")], answer
    assert "archived" in answer["items"][0]["detail"]
    merged(keeper)
    archived[0].append(items(keeper, **{"from": "2025-04-03T00:01:00Z"})[0])


def files(s):
    return sorted((s.state / "archive").resolve().rglob("*.avro"))


@pytest.mark.parametrize("damage", ["gone", "cut", "flip"])
def test_a_broken_file_is_an_error_that_names_the_day(keeper, archived,
                                                      damage):
    path = next(p for p in files(keeper) if "day=2025-03-07" in str(p))
    kept = path.read_bytes()
    owner = path.stat()
    try:
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(kept[:-50])
        else:
            path.write_bytes(kept[:-50] + bytes([kept[-50] ^ 1]) + kept[-49:])
        answer = get(keeper, **{"from": "2025-03-07T00:00:00Z",
                                 "to": "2025-03-08T00:00:00Z"})
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "/problems/archive-unavailable"
        assert "2025-03-07" in answer.json()["detail"]
        # Other days answer.
        assert len(items(keeper, **{"from": "2025-03-08T00:00:00Z",
                                     "to": "2025-03-09T00:00:00Z"})) == 72
    finally:
        path.write_bytes(kept)
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o640)
    assert items(keeper) == archived[0]


def test_a_killed_worker_knows_what_is_archived(keeper, archived):
    for pid in keeper.workers():
        os.kill(pid, 9)
    wait_for("workers are back", keeper.ready)
    assert items(keeper) == archived[0]


def test_restored_readings_answer_warm(keeper, archived):
    before, daily = archived
    archive(keeper, "--from", "2025-03-01", "--to", "2025-03-02",
            script="restore")
    wait_for("it is warm", lambda: get(
        keeper, **{"from": MARCH, "to": APRIL}).json().get("source") == "warm")
    late = {"readings": [reading(0, 99) | {"ts": "2025-03-05T00:01:00Z"}]}
    # A worker that has not heard of it yet refuses: nothing is stored then.
    wait_for("every worker knows", lambda: all(get(
        keeper, **{"from": MARCH, "to": APRIL}).json().get("source") == "warm"
        for _ in range(8)))
    assert items(keeper) == before
    wait_for("it takes readings", lambda: keeper.call(
        "POST", "/api/v1/readings", "device",
        json=late).json().get("accepted") == 1)
    # And it can go again, the late reading with it.
    merged(keeper)
    archive(keeper, "run", "--before", APRIL, "--class", "operational",
            "--grace", "1")
    found = items(keeper, **{"from": "2025-03-05T00:00:00Z",
                              "to": "2025-03-06T00:00:00Z"})
    assert len(found) == 73 and found[1]["value"] == 99
    archive(keeper, "verify")


def test_who_has_not_heard_neither_hides_nor_loses_a_reading(keeper, archived):
    """A worker whose notice of the drop is late, for however long."""
    span = {"from": "2025-02-01T00:00:00Z", "to": MARCH}
    late = {"readings": [reading(0, 99) | {"ts": "2025-02-27T00:01:00Z"}]}
    archive(keeper, "--from", "2025-02-01", "--to", "2025-03-01",
            script="restore")
    wait_for("it is warm",
             lambda: get(keeper, **span).json().get("source") == "warm")
    before = items(keeper, **span)
    assert len(before) == 2 * 72

    def post():
        return keeper.call("POST", "/api/v1/readings", "device", json=late)

    keeper.sql("ALTER TABLE archives DISABLE TRIGGER archives_changed")
    archive(keeper, "run", "--before", MARCH, "--class", "operational",
            "--grace", "0")
    for answer in (get(keeper, **span), post()):
        assert answer.status_code == 503, answer.text
        assert "archived meanwhile" in answer.json()["detail"]
    keeper.sql("ALTER TABLE archives ENABLE TRIGGER archives_changed; "
               "NOTIFY penstock_change, 'archives'")
    wait_for("it is heard of",
             lambda: get(keeper, **span).status_code == 200)
    assert items(keeper, **span) == before
    assert post().json()["rejected"] == 1
