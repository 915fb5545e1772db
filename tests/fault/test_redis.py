"""The hot tier's hours: seen in /ready and in answers, proven by
scripts/verify-hot, which finds what was changed by hand; and Redis lost,
frozen and full, with true answers meanwhile."""

import datetime
import os
import signal
import subprocess

import pytest
import redis

from support.service import ROOT, wait_for

SERIES = 20
HOURS = 6


def verify(service, *options):
    done = subprocess.run([ROOT / "scripts/verify-hot", *options],
                          env=service.env, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode, done.stdout


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def post(service, readings):
    answer = service.call("POST", "/api/v1/readings", "device",
                          json={"readings": readings})
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == len(readings), answer.text


def reading(i, ts, value):
    return {"node": f"HOT-{i}", "metric": "pressure", "unit": "m",
            "ts": ts.isoformat().replace("+00:00", "Z"), "value": value}


def history(service, i=0):
    """Items and source of the last two days of one series."""
    answer = service.call(
        "GET", "/api/v1/readings", "viewer",
        params={"node": f"HOT-{i}", "metric": "pressure", "limit": 1000,
                "from": (now() - datetime.timedelta(hours=47)).isoformat()
                .replace("+00:00", "Z")}).json()
    return [(r["ts"], r["value"]) for r in answer["items"]], answer["source"]


def state(service):
    return next(d["state"] for d in service.call("GET", "/ready").json()
                ["dependencies"] if d["name"] == "redis")


def whole(service):
    return state(service).startswith("connected; last 48 h of "
                                     f"{SERIES} of {SERIES}")


@pytest.fixture
def hot(own_service):
    """A service whose series are all whole, each with six hours of data."""
    service = own_service(PENSTOCK_LOG_LEVEL="warn")
    service.start()
    service.sql("INSERT INTO nodes (code, type) SELECT 'HOT-' || i, 'junction'"
                " FROM generate_series(0, %s) i", SERIES - 1)
    service.sql("INSERT INTO series (node_id, metric_id, unit, kind)"
                " SELECT id, (SELECT id FROM metrics WHERE code = 'pressure'),"
                " 'm', 'instant' FROM nodes WHERE code LIKE 'HOT-%%'")
    at = now()
    step = datetime.timedelta(minutes=3)
    for i in range(SERIES):
        post(service, [reading(i, at - k * step, i + k / 8)
                       for k in range(HOURS * 20)])
    wait_for("whole series", lambda: whole(service), 40)
    return service


def connect(service):
    return redis.Redis(unix_socket_path=os.path.realpath(
        service.state / "sock" / "redis.sock"))


def test_answers_say_so_and_are_proven(hot):
    items, source = history(hot)
    assert source == "hot" and len(items) == HOURS * 20
    post(hot, [reading(0, now() - datetime.timedelta(hours=30), 99)])
    items, source = history(hot)
    assert source == "hot" and items[0][1] == 99
    # Which reading is the newest PostgreSQL tells first.
    hot.call("GET", "/api/v1/latest?metric=pressure", "viewer")
    wait_for("a proof of all", lambda: verify(hot, "--whole") == (0, (
        f"series {SERIES}: newest value equal {SERIES}, hours whole {SERIES}\n"
        f"readings compared {SERIES * HOURS * 20 + 1}, differences 0\n")), 20)


def test_what_was_changed_by_hand_is_found(hot):
    hot.call("GET", "/api/v1/latest?metric=pressure", "viewer")
    wait_for("what is settled", lambda: verify(hot, "--whole")[0] == 0, 20)
    r = connect(hot)
    ids = [i for i, in hot.sql(
        "SELECT s.id FROM series s JOIN nodes n ON n.id = s.node_id"
        " WHERE n.code LIKE 'HOT-%%' ORDER BY length(n.code), n.code")]
    hour = int(now().timestamp()) // 3600 - 2
    keys = [f"ps:h:{i}:{hour}" for i in ids]
    wrong = bytearray(r.get(keys[0]))
    wrong[-9 if wrong[:4] == bytes(4) else -1] ^= 1  # a value or a time
    r.set(keys[0], bytes(wrong), keepttl=True)
    r.set(keys[1], r.get(keys[1])[:-20], keepttl=True)
    r.delete(keys[2])
    r.delete(keys[3])
    r.lpush(keys[3], "x")
    epoch = r.get("ps:epoch").decode()
    r.hset(f"ps:{epoch}:l:{ids[4] >> 12}", ids[4], bytes(28))
    r.hset(f"ps:{epoch}:l:{ids[5] >> 12}", ids[5], "x")
    def newest():
        return hot.call("GET", "/api/v1/nodes/HOT-7/latest",
                        "viewer").json()["items"][0]["value"]

    right, key = newest(), f"ps:{epoch}:l:{ids[7] >> 12}"
    wrong = bytearray(r.hget(key, ids[7]))
    wrong[9] ^= 1
    r.hset(key, ids[7], bytes(wrong))
    r.hset(f"ps:{epoch}:w", b"somebody", os.urandom(8))  # so no copy is good
    wait_for("the wrong value", lambda: newest() != right)
    for _ in range(50):
        newest()
    status, found = verify(hot, "--forget")
    assert status == 1
    for i in ids[:6] + ids[7:8]:
        assert f"series {i} " in found, found
    assert {newest() for _ in range(50)} == {right}
    assert f"series {ids[6]} " not in found, found
    wait_for("whole series again",
             lambda: verify(hot, "--whole")[0] == 0, 30)


def test_missing_hours_are_not_empty_hours(hot):
    want, source = history(hot)
    assert source == "hot"
    r = connect(hot)
    for key in r.scan_iter("ps:h:*"):
        r.delete(key)
    items, source = history(hot)
    assert items == want and source == "warm"
    wait_for("hours read anew", lambda: history(hot)[1] == "hot", 30)
    assert history(hot)[0] == want


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_redis_lost_is_read_anew(hot, fault):
    want, _ = history(hot)
    pid = hot.pid("redis")
    if fault == "kill":
        hot.kill("redis")
    else:
        os.kill(pid, signal.SIGSTOP)
    try:
        items, source = history(hot)
        assert items == want and source == "warm"
        post(hot, [reading(0, now() - datetime.timedelta(seconds=1), 5)])
        items, source = history(hot)
        assert len(items) == len(want) + 1 and source == "warm"
        assert hot.call("GET", "/ready").status_code == 200
        assert not whole(hot)
    finally:
        if fault == "kill":
            hot.lib("redis_start")
        else:
            os.kill(pid, signal.SIGCONT)
    wait_for("whole series again", lambda: whole(hot), 40)
    items, source = history(hot)
    assert len(items) == len(want) + 1 and source == "hot"
    wait_for("what is settled", lambda: verify(hot, "--whole")[0] == 0, 20)


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_redis_is_full(hot, policy):
    r = connect(hot)
    r.config_set("maxmemory-policy", policy)
    r.config_set("maxmemory", r.info("memory")["used_memory"] + 200_000)
    at = now()
    for k in range(30):
        post(hot, [reading(i, at - datetime.timedelta(
            hours=10, seconds=7 * k + n), k + n / 8)
                   for i in range(SERIES) for n in range(7)])
        items, _ = history(hot)
        assert len(items) == HOURS * 20 + 7 * (k + 1), f"turn {k}"
    wait_for("word of it", lambda: "48 h are not kept" in state(hot), 20)
    assert hot.call("GET", "/ready").status_code == 200
    wait_for("room again",
             lambda: not list(r.scan_iter("ps:h:*", count=10000)), 20)
    wait_for("the newest from the hot tier", lambda: hot.call(
        "GET", "/api/v1/nodes/HOT-3/latest", "viewer").json()["items"][0]
        ["source"] == "hot", 20)
