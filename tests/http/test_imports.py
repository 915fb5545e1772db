"""History by POST /api/v1/imports: parts, order, repeats, resuming; whatever
is imported stands beside what comes live as if it had come the same way."""

import datetime
import gzip
import itertools
import os
import random
import signal
import subprocess
import threading

import pytest
import requests

from support import proof
from support.service import ROOT, wait_for

codes = (f"IMP-{i}" for i in itertools.count())
HEADER = "node,metric,ts,value\n"
T0 = datetime.datetime(2021, 5, 30)
SPAN = datetime.timedelta(days=4)


@pytest.fixture
def node(service):
    code = next(codes)
    service.make_series(code, "pressure", "flow", "level")
    return code


def begin(service, **body):
    answer = service.call("POST", "/api/v1/imports", "engineer", json=body)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert answer.headers["Location"] == f"/api/v1/imports/{said['id']}"
    assert (said["next_part"], said["state"]) == (0, "open")
    return said["id"]


def put(service, number, part, text, role="engineer", **headers):
    body = text if isinstance(text, bytes) else text.encode()
    return service.call(
        "PUT", f"/api/v1/imports/{number}/parts/{part}", role, data=body,
        headers={"Content-Type": "text/csv", **headers})


def good(answer):
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return said["accepted"], said["duplicates"], said["rejected"]


def progress(service, number):
    answer = service.call("GET", f"/api/v1/imports/{number}", "engineer")
    assert answer.status_code == 200, answer.text
    return answer.json()


def stamp(t):
    return t.isoformat() + "Z"


def lines(node, metric, times, value=lambda t: t.minute + t.second / 100):
    return "".join(f"{node},{metric},{stamp(t)},{value(t)}\n" for t in times)


def every(seconds, count, start=T0):
    return [start + datetime.timedelta(seconds=seconds * i)
            for i in range(count)]


def stored(service, node):
    return service.sql("SELECT metric, ts, value FROM readings "
                       "WHERE node = %s ORDER BY 1, 2", node)


def prove_sums(service, node):
    """Each reading once, roll-ups and newest values as raw gives them."""
    with service.db() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute(
            "CREATE TEMP TABLE raw AS SELECT series, node, metric, ts, value, "
            "quality FROM readings WHERE node = %s", [node])
        cursor.execute(
            "CREATE TEMP TABLE load_series AS SELECT s.id FROM series s "
            "JOIN nodes n ON n.id = s.node_id WHERE n.code = %s", [node])
        proof.none(cursor, "twice", "SELECT metric, ts, count(*) FROM raw "
                   "GROUP BY 1, 2 HAVING count(*) > 1")
        proof.none(cursor, "newest", proof.NEVER["newest"])
        for width in (300, 3600, 86400):
            proof.none(cursor, f"roll-ups of {width} s", proof.ROLLUP,
                       {"width": width})


def test_parts_come_in_order_and_repeats_are_told_the_same(service, node):
    number = begin(service, name="by hand", total_bytes=1000)
    first = HEADER + lines(node, "pressure", every(60, 50))
    told = put(service, number, 0, first)
    assert good(told) == (50, 0, 0)
    again = put(service, number, 0, first)
    assert again.status_code == 200 and again.json() == told.json()
    for part, text, why in ((0, first + "\n", "had another body"),
                            (2, first, "part 1 is next")):
        refused = put(service, number, part, text)
        assert refused.status_code == 409 and why in refused.json()["detail"]
    # Rows alone, then with the header again; some of them known.
    assert good(put(service, number, 1, lines(
        node, "pressure", every(60, 60)))) == (10, 50, 0)
    assert good(put(service, number, 2, HEADER + lines(
        node, "flow", every(3600, 40)))) == (40, 0, 0)
    said = progress(service, number)
    assert (said["next_part"], said["rows"], said["accepted"],
            said["duplicates"], said["rejected"]) == (3, 150, 100, 50, 0)
    assert said["rows_per_second"] > 0 and said["total_bytes"] == 1000
    ended = service.call("POST", f"/api/v1/imports/{number}/finish",
                         "engineer")
    assert ended.status_code == 200 and ended.json()["state"] == "finished"
    late = put(service, number, 3, first)
    assert late.status_code == 409 and "finished" in late.json()["detail"]
    assert len(stored(service, node)) == 100
    prove_sums(service, node)


def test_refused_rows_are_told_with_row_and_reason(service, node):
    number = begin(service)
    text = HEADER + "".join((
        f"{node},pressure,2021-05-30T00:00:00Z,5\n",
        f"{node},pressure,2021-05-30T00:00:00Z,6\n",
        f"{node},pressure,2021-05-30T00:00:00Z,5\n",
        f"{node},pressure,2021-05-30T00:01:00Z,\n",
        "NOWHERE,pressure,2021-05-30T00:00:00Z,5\n",
        f"{node},pressure,yesterday,5\n",
        f"{node},pressure,2021-05-30T00:02:00Z,1e9\n",
        f"{node},pressure\n",
        f"{node},pressure,2999-05-30T00:00:00Z,5\n"))
    answer = put(service, number, 0, text)
    assert good(answer) == (1, 1, 6)
    said = answer.json()
    assert said["empty"] == 1
    assert [(i["row"], i["reason"]) for i in said["items"]] == [
        (1, "conflict"), (4, "unknown_series"), (5, "bad_timestamp"),
        (6, "out_of_range"), (7, "bad_item"), (8, "future")]
    again = put(service, number, 1, f"{node},pressure,2021-05-30T00:00:00Z,7")
    assert again.json()["items"][0]["detail"] == (
        "the series has the value 5 at this time; the first stays")
    said = progress(service, number)
    assert said["rejected_by_reason"] == {
        "conflict": 2, "unknown_series": 1, "bad_timestamp": 1,
        "out_of_range": 1, "bad_item": 1, "future": 1}
    assert said["rows"] == 9 and said["empty"] == 1


def test_gzip(service, node):
    number = begin(service)
    packed = gzip.compress(
        (HEADER + lines(node, "pressure", every(15, 20000))).encode())
    assert len(packed) < 200000
    answer = put(service, number, 0, packed, **{"Content-Encoding": "gzip"})
    assert good(answer) == (20000, 0, 0)
    prove_sums(service, node)


@pytest.mark.parametrize("status, text, headers", [
    (415, HEADER, {"Content-Type": "application/json"}),
    (415, HEADER, {"Content-Encoding": "br"}),
    (400, b"not gzip", {"Content-Encoding": "gzip"}),
    (400, "", {}),
    (422, "node,metric,when,value\nN,pressure,2021-05-30T00:00:00Z,5\n", {}),
    (422, "x" * 5000, {}),
    (413, HEADER + "n" * (8 << 20), {}),
])
def test_what_is_no_part(service, status, text, headers):
    number = begin(service)
    assert put(service, number, 0, text, **headers).status_code == status
    assert progress(service, number)["next_part"] == 0


def test_who_may(service):
    number = begin(service)
    for role, status in (("operator", 403), ("device", 403), (None, 401)):
        assert put(service, number, 0, HEADER, role).status_code == status
        assert service.call("POST", "/api/v1/imports", role,
                            json={}).status_code == status
    assert put(service, 10 ** 9, 0, HEADER).status_code == 404
    assert put(service, "x", 0, HEADER).status_code == 404


def test_cancel_and_list(service, node):
    numbers = [begin(service, name=f"list {i}") for i in range(3)]
    put(service, numbers[0], 0, HEADER + lines(node, "pressure", [T0]))
    gone = service.call("DELETE", f"/api/v1/imports/{numbers[0]}", "engineer")
    assert gone.status_code == 204
    assert put(service, numbers[0], 1, "x").status_code == 409
    assert progress(service, numbers[0])["state"] == "cancelled"
    assert len(stored(service, node)) == 1  # what is stored stays
    seen, cursor = [], ""
    while cursor is not None:
        page = service.call("GET", "/api/v1/imports?limit=2" + cursor,
                            "engineer").json()
        seen += [i["id"] for i in page["items"]]
        cursor = page["next"] and "&cursor=" + page["next"]
    assert seen == sorted(seen, reverse=True)
    assert set(numbers) <= set(seen)


def test_any_order_beside_live_readings_sums_up(service, node):
    """The same days from three sides at once, over one another."""
    dice = random.Random(7)
    times = every(97, int(SPAN.total_seconds() // 97))
    metrics = ("pressure", "flow", "level")
    todo = [(m, t) for m in metrics for t in times]
    live = dice.sample(todo, 3000)

    def send():
        for at in range(0, len(live), 300):
            answer = service.call(
                "POST", "/api/v1/readings", "engineer", json={"readings": [
                    {"node": node, "metric": m, "ts": stamp(t),
                     "value": t.minute + t.second / 100}
                    for m, t in live[at:at + 300]]})
            assert answer.status_code == 200, answer.text

    sender = threading.Thread(target=send)
    sender.start()
    number = begin(service)
    dice.shuffle(todo)
    todo += dice.sample(todo, 2000)
    text = [lines(node, m, [t]) for m, t in todo]
    for part, at in enumerate(range(0, len(text), 2500)):
        accepted, duplicates, rejected = good(put(
            service, number, part, HEADER + "".join(text[at:at + 2500])))
        assert rejected == 0
        assert accepted + duplicates == len(text[at:at + 2500])
    sender.join()
    wait_for("the merge", lambda: service.sql(
        "SELECT count(*) FROM ingest_log") == [(0,)], 30)
    rows = stored(service, node)
    assert len(rows) == len(times) * 3
    assert all(v == t.minute + t.second / 100 for _, t, v in rows)
    prove_sums(service, node)


def test_what_was_imported_is_not_new_to_the_loop(service, node):
    """The loop never merged these, and they are newer than what it did."""
    def post(times, value):
        answer = service.call(
            "POST", "/api/v1/readings", "engineer", json={"readings": [
                {"node": node, "metric": "pressure", "ts": stamp(t),
                 "value": value} for t in times]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    now = datetime.datetime.utcnow().replace(microsecond=0)
    times = every(60, 30, now - datetime.timedelta(hours=2))
    assert post(times[:1], 5)["accepted"] == 1
    wait_for("the merge", lambda: service.sql(
        "SELECT 1 FROM readings WHERE node = %s AND merged", node))
    number = begin(service)
    assert good(put(service, number, 0, HEADER + lines(
        node, "pressure", times[1:], lambda t: 5)))[0] == 29
    assert post(times, 5)["duplicates"] == 30
    # Around the look-up, as a worker of another instance may log it.
    service.sql(
        "INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts, "
        "value, quality) SELECT date_trunc('milliseconds', now()), ts, ts, "
        "ARRAY[series], ARRAY[ts], ARRAY[9], ARRAY[0] FROM readings "
        "WHERE node = %s", node)
    wait_for("the merge", lambda: service.sql(
        "SELECT count(*) FROM ingest_log") == [(0,)])
    rows = stored(service, node)
    assert [v for _, _, v in rows] == [5] * 30
    prove_sums(service, node)
    latest = service.call("GET", f"/api/v1/nodes/{node}/latest",
                          "viewer").json()["items"]
    assert {i["metric"]: i["ts"] for i in latest}["pressure"] == \
        stamp(times[-1])


def test_alarms_only_if_asked(service):
    """High enough for an alarm: by the log it is one, by segments none."""
    found = {}
    for alarms in (False, True):
        code = next(codes)
        service.make_series(code, "pressure")
        path = f"/api/v1/series/{code}/pressure/thresholds"
        answer = service.call("PUT", path, "engineer", json={"thresholds": [
            {"direction": "high", "severity": "critical", "set_level": 50,
             "clear_level": 45}]})
        assert answer.status_code == 200, answer.text
        number = begin(service, alarms=alarms)
        text = HEADER + lines(code, "pressure", every(60, 30),
                              lambda t: 90 if t.minute > 10 else 20)
        assert good(put(service, number, 0, text)) == (30, 0, 0)
        assert put(service, number, 0, text).json()["accepted"] == 30
        wait_for("the merge", lambda: service.sql(
            "SELECT count(*) FROM readings WHERE merged AND node = %s",
            code) == [(30,)])
        found[alarms] = service.call(
            "GET", f"/api/v1/anomalies?node={code}", "viewer").json()["items"]
    assert found[False] == []
    assert [a["type"] for a in found[True]] == ["threshold"]


def test_archived_spans_take_no_readings(service, node):
    times = every(60, 10, datetime.datetime(1995, 5, 30, 23, 55))
    service.sql("INSERT INTO archives (class, from_ts, to_ts, state) VALUES "
                "(1, '1995-05-01Z', '1995-06-01Z', 'dropped')")
    try:
        # The last of them is in June.
        number = begin(service)
        answer = put(service, number, 0, HEADER + lines(
            node, "pressure", times + every(86400, 3, times[0])))
        assert good(answer) == (1, 0, 12)
        item = answer.json()["items"][0]
        assert item["reason"] == "too_old" and "archived" in item["detail"]
    finally:
        service.sql("DELETE FROM archives WHERE from_ts = '1995-05-01Z'")
    assert good(put(service, number, 1, lines(
        node, "pressure", times)))[0] == 10


def test_what_redis_holds_is_read_anew(service, node):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    times = every(60, 40, now - datetime.timedelta(hours=1))

    def shown():
        answer = service.call(
            "GET", f"/api/v1/readings?node={node}&metric=pressure&limit=100&"
            f"from={stamp(times[0])}&to={stamp(now)}", "viewer")
        assert answer.status_code == 200, answer.text
        return answer.json()

    answer = service.call("POST", "/api/v1/readings", "engineer", json={
        "readings": [{"node": node, "metric": "pressure", "ts": stamp(t),
                      "value": t.minute} for t in times[::2]]})
    assert answer.json()["accepted"] == 20, answer.text
    wait_for("an answer from Redis",
             lambda: shown()["source"] == "hot", 60, 0.5)
    number = begin(service)
    assert good(put(service, number, 0, HEADER + lines(
        node, "pressure", times[1::2], lambda t: t.minute)))[0] == 20
    assert [i["value"] for i in shown()["items"]] == [t.minute for t in times]


def test_a_file_by_the_script_stopped_and_resumed(service, node, tmp_path):
    file = tmp_path / "history.csv"
    count = 400000
    file.write_text(HEADER + lines(
        node, "pressure", every(15, count), lambda t: t.minute)
        + "NOWHERE,pressure,2021-05-30T00:00:00Z,5\n")

    def run(*options):
        return subprocess.Popen(
            [ROOT / "scripts/import", file, *options], env=service.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    first = run()
    number = first.stdout.readline().split()[-1]
    assert "part 0: " in first.stdout.readline()
    first.kill()
    first.wait()
    second = run("--resume", number, "--gzip")
    out, err = second.communicate(timeout=120)
    assert second.returncode == 1, out + err  # a row was refused
    assert "unknown_series" in err
    said = progress(service, number)
    assert (said["accepted"], said["duplicates"], said["rejected"]) == (
        count, 0, 1)
    assert said["bytes"] == said["total_bytes"] == file.stat().st_size
    assert said["state"] == "finished"
    assert service.sql("SELECT sum(n)::int FROM rollups r JOIN series s ON "
                       "s.id = series JOIN nodes n ON n.id = node_id "
                       "WHERE width_s = 86400 AND code = %s",
                       node) == [(count,)]


def send_parts(service, number, parts):
    """As a client does that means to bring it all in: again until told."""
    for part, text in enumerate(parts):
        def told(part=part, text=text):
            try:
                answer = put(service, number, part, text)
            except requests.RequestException:
                return None
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200
        wait_for(f"part {part}", told, 60)


def test_killed_anywhere_and_sent_again_it_is_all_there_once(own_service):
    service = own_service(PENSTOCK_LOOP_PERIOD=3600000)
    service.start()
    nodes = [next(codes) for _ in range(4)]
    for code in nodes:
        service.make_series(code, "pressure")
    # Hourly data: so many roll-ups that a part takes several transactions.
    parts = [HEADER + lines(code, "pressure", every(3600, 30000, start),
                            lambda t: t.hour)
             for start in (datetime.datetime(2001, 1, 1),
                           datetime.datetime(2011, 1, 1)) for code in nodes]
    total = len({line for part in parts for line in part.splitlines()}) - 1
    number = begin(service)
    dice, done = random.Random(3), threading.Event()
    killed = []

    def kill():
        while not done.wait(dice.uniform(0.02, 0.2)):
            victims = service.workers()
            if dice.random() < 0.4:
                victims = [p for p, in service.sql(
                    "SELECT pid FROM pg_stat_activity WHERE "
                    "application_name LIKE 'penstock import%%'")]
                service.sql("SELECT pg_terminate_backend(p) "
                            "FROM unnest(%s::int[]) p", victims)
            elif victims:
                os.kill(dice.choice(victims), signal.SIGKILL)
            killed.append(len(victims))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        send_parts(service, number, parts)
    finally:
        done.set()
        killer.join()
    said = progress(service, number)
    assert (said["accepted"], said["duplicates"] + said["accepted"]) == (
        total, sum(p.count("\n") - 1 for p in parts))
    print(f"{len(killed)} kills, {total} readings")
    assert len(killed) > 2
    for code in nodes:
        prove_sums(service, code)
    # What is in the log, not merged yet, was first.
    live = {"node": nodes[0], "metric": "pressure",
            "ts": "2024-01-01T00:00:00Z", "value": 7}
    answer = service.call("POST", "/api/v1/readings", "engineer", json=live)
    assert answer.json()["accepted"] == 1, answer.text
    answer = put(service, number, len(parts), "".join(
        f"{nodes[0]},pressure,2024-01-01T00:0{i}:00Z,8\n" for i in (0, 1)))
    assert good(answer) == (1, 0, 1), answer.text
    assert answer.json()["items"][0]["reason"] == "conflict"
