"""GET of readings over time, as a dashboard and a data scientist see it."""

import contextlib
import csv
import datetime as dt
import io
import itertools
import json
import socket
import ssl
import urllib.parse

import pytest

from support.service import wait_for

codes = (f"RANGE-{i}" for i in itertools.count())
UTC = dt.timezone.utc
START = dt.datetime(2024, 5, 1, tzinfo=UTC)
STEP = dt.timedelta(seconds=15)


def text(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def post(service, node, metric, values, start=START, step=STEP):
    """Values in time order, in posts of 5,000."""
    readings = [{"node": node, "metric": metric, "ts": text(start + i * step),
                 "value": v} for i, v in enumerate(values)]
    for at in range(0, len(readings), 5000):
        answer = service.call("POST", "/api/v1/readings", "device",
                              json={"readings": readings[at:at + 5000]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == 0, answer.text
    return [(r["ts"], float(r["value"])) for r in readings]


def merged(service, node):
    wait_for("the merge", lambda: not service.sql(
        "SELECT 1 FROM readings WHERE node = %s AND NOT merged LIMIT 1", node))


def get(service, headers=None, **query):
    return service.call(
        "GET", "/api/v1/readings?" + urllib.parse.urlencode(
            query, safe=",/:"), "viewer", headers=headers or {})


@pytest.fixture(scope="module")
def day(service):
    """A node with a day of pressure at 15 s and an hour of flow, merged; and
    ten readings of the next day that still lie in the log, perhaps."""
    node = next(codes)
    service.make_series(node, "pressure", "flow", zone=node + "-Z")
    pressure = post(service, node, "pressure",
                    [20 + i % 100 / 8 for i in range(5760)])
    flow = post(service, node, "flow", [i / 16 for i in range(240)])
    merged(service, node)
    more = post(service, node, "pressure", range(30, 40),
                start=START + dt.timedelta(days=1))
    return node, pressure + more, flow


def pages(service, **query):
    """All pages' items, and the sources they came from."""
    items, sources, cursor = [], set(), {}
    while True:
        answer = get(service, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        sources.add(page["source"])
        if page["next"] is None:
            return items, sources
        assert len(page["items"]) == int(query.get("limit", 1000))
        cursor = {"cursor": page["next"]}


SPAN = {"from": "2024-05-01T00:00:00Z", "to": "2024-05-03T00:00:00Z"}


@pytest.mark.parametrize("limit", [100, 999, 5760, 10000])
def test_pages_give_every_reading_once(service, day, limit):
    node, pressure, _ = day
    items, sources = pages(service, node=node, metric="pressure", limit=limit,
                           **SPAN)
    assert [(i["ts"], i["value"]) for i in items] == pressure
    assert sources <= {"warm", "mixed", "hot"}
    assert {i["quality"] for i in items} == {"good"}


def test_csv_has_every_reading_of_every_series(service, day):
    node, pressure, flow = day
    answer = get(service, {"Accept": "text/csv"}, node=node, **SPAN)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["node", "metric", "ts", "value", "unit",
                             "quality", "received_at"]
    for metric, unit, sent in (("pressure", "m", pressure),
                               ("flow", "m3/h", flow)):
        assert [(r["ts"], float(r["value"])) for r in rows
                if r["metric"] == metric] == sent
        assert {r["unit"] for r in rows if r["metric"] == metric} == {unit}
    assert len(rows) == len(pressure) + len(flow)


def test_ndjson_is_the_same(service, day):
    node, pressure, _ = day
    answer = get(service, node=node, metric="pressure", format="ndjson",
                 **SPAN)
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [(r["ts"], r["value"]) for r in rows] == pressure
    assert {r["node"] for r in rows} == {node}


def test_many_series_in_one_call(service, day):
    node, pressure, flow = day
    for query in ({"series": f"{node}/pressure,{node}/flow"},
                  {"node": node, "metric": "pressure,flow"},
                  {"zone": node + "-Z", "metric": "pressure,flow"}):
        answer = get(service, **query, limit=50, **SPAN)
        assert answer.status_code == 200, answer.text
        got = {s["metric"]: s for s in answer.json()["series"]}
        assert len(got) == 2
        for metric, sent in (("pressure", pressure), ("flow", flow)):
            s = got[metric]
            assert [(i["ts"], i["value"]) for i in s["items"]] == sent[:50]
            assert s["next"] is not None


def test_a_hundred_series_by_quarter_of_an_hour(service):
    nodes = [next(codes) for _ in range(100)]
    for node in nodes:
        service.make_series(node, "pressure", zone="HUNDRED")
    for i, node in enumerate(nodes):
        post(service, node, "pressure", [i, i + 1], step=STEP * 120)
    answer = get(service, zone="HUNDRED", bucket="15m", agg="avg,count",
                 **{"from": SPAN["from"], "to": "2024-05-02T00:00:00Z"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["bucket"], said["rollup_s"]) == ("15m", 300)
    assert [s["node"] for s in said["series"]] == sorted(nodes)
    for s in said["series"]:
        i = nodes.index(s["node"])
        assert [(b["ts"], b["avg"], b["count"]) for b in s["items"]] == [
            ("2024-05-01T00:00:00Z", i, 1), ("2024-05-01T00:30:00Z", i + 1, 1)]


def test_buckets_from_rollups_and_from_readings_agree(service, day):
    """as_known_at makes the service add up the readings themselves."""
    node, _, _ = day
    query = dict(node=node, metric="pressure", bucket="1h", **SPAN)
    rolled = get(service, **query).json()
    added = get(service, as_known_at="2999-01-01T00:00:00Z", **query).json()
    assert (rolled.pop("rollup_s"), added.pop("rollup_s")) == (3600, None)
    rolled.pop("source"), added.pop("source")
    assert len(rolled["items"]) == 25
    for a, b in zip(rolled["items"], added["items"]):
        assert a.pop("sum") == pytest.approx(b.pop("sum"))
        assert a.pop("avg") == pytest.approx(b.pop("avg"))
    assert rolled == added


def test_what_was_known_then(service):
    node = next(codes)
    service.make_series(node, "pressure")
    post(service, node, "pressure", [1, 2, 3])
    items, _ = pages(service, node=node, metric="pressure", **SPAN)
    then = max(i["received_at"] for i in items)
    wait_for("a later millisecond", lambda: service.sql(
        "SELECT now() > %s::timestamptz + interval '2 ms'", then)[0][0])
    post(service, node, "pressure", [9], start=START - STEP)
    for _ in range(2):  # from the log, and after the merge
        known, _ = pages(service, node=node, metric="pressure",
                         as_known_at=then, **{**SPAN, "from": text(
                             START - STEP)})
        assert [i["value"] for i in known] == [1, 2, 3]
        now, _ = pages(service, node=node, metric="pressure",
                       **{**SPAN, "from": text(START - STEP)})
        assert [i["value"] for i in now] == [9, 1, 2, 3]
        merged(service, node)


def before(service, node, at):
    return service.call(
        "GET", f"/api/v1/readings/before?node={node}&metric=pressure&at={at}",
        "viewer")


def test_last_good_before(service, day):
    node, pressure, _ = day
    assert before(service, node, text(START)).status_code == 404
    for at, expected in ((text(START + STEP), pressure[0]),
                         (pressure[5759][0], pressure[5758]),
                         ("2024-06-01T00:00:00Z", pressure[-1])):
        answer = before(service, node, at)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["ts"], said["value"]) == expected
        assert said["quality"] == "good" and said["unit"] == "m"
        assert said["source"] in ("warm", "hot")
    assert before(service, "NOWHERE", text(START)).status_code == 404


def test_latest_again_is_304(service, day):
    node, _, _ = day
    path = f"/api/v1/nodes/{node}/latest"
    merged(service, node)
    service.call("GET", path, "viewer")  # fills the hot tier
    first = service.call("GET", path, "viewer")
    tag = first.headers["ETag"]
    again = service.call("GET", path, "viewer",
                         headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    post(service, node, "flow", [5], start=START + dt.timedelta(days=3))
    assert service.call("GET", path, "viewer", headers={
        "If-None-Match": tag}).status_code == 200


def test_tag_of_a_coded_answer_is_known_again(service, day):
    """An answer long enough to be gzip'd has a tag of its own; either way
    who has it gets 304."""
    zone = next(codes) + "-Z"
    for node in itertools.islice(codes, 6):
        service.make_series(node, "pressure", "flow", "level", zone=zone)
    url = f"{service.url}/api/v1/latest?zone={zone}"
    # One connection is one worker, which may learn of new nodes a moment later.
    with service.session("viewer") as session:
        wait_for("a worker that knows all", lambda: len(
            session.get(url, timeout=20).json()["items"]) == 18)
        for coding in ("gzip", "identity"):
            headers = {"Accept-Encoding": coding}
            first = session.get(url, timeout=20, headers=headers)
            assert first.headers.get("Content-Encoding", "identity") == coding
            for known in (first.headers["ETag"],
                          "W/" + first.headers["ETag"]):
                again = session.get(url, timeout=20, headers={
                    **headers, "If-None-Match": known})
                assert (again.status_code, again.content) == (304, b"")


def test_new_readings_come_from_the_hot_tier_and_are_the_same(service):
    node = next(codes)
    service.make_series(node, "pressure")
    start = dt.datetime.now(UTC).replace(microsecond=0) - 200 * STEP
    sent = post(service, node, "pressure", [i / 8 for i in range(200)],
                start=start)
    query = {"node": node, "metric": "pressure",
             "from": text(start - 20 * STEP)}

    def hot():
        answer = get(service, **query).json()
        assert [(i["ts"], i["value"]) for i in answer["items"]] == sent
        return answer if answer["source"] == "hot" else None

    answer = wait_for("the hot tier", hot)
    assert answer["complete"] is True
    merged(service, node)
    rows = service.sql("SELECT ts, value, received_at FROM readings "
                       "WHERE node = %s ORDER BY ts", node)
    assert [(i["ts"], i["value"], i["received_at"]) for i in answer["items"]
            ] == [(text(t), v, rfc3339(r)) for t, v, r in rows]


def rfc3339(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{t.microsecond:06}Z" if t.microsecond else "Z")


def connect(service, rcvbuf=None):
    context = ssl.create_default_context(cafile=service.ca)
    context.check_hostname = False
    plain = socket.socket()
    plain.settimeout(20)
    if rcvbuf is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    plain.connect(("127.0.0.1", service.port))
    return context.wrap_socket(plain)


def test_client_that_leaves_in_the_middle_harms_nobody(service, day):
    node, pressure, _ = day
    for _ in range(20):
        with connect(service) as s:
            s.sendall((f"GET /api/v1/readings?node={node}&format=csv"
                       f"&from={SPAN['from']}&to={SPAN['to']} HTTP/1.1\r\n"
                       "Host: localhost\r\nAuthorization: Bearer "
                       f"{service.token('viewer')}\r\n\r\n").encode())
            assert s.recv(100)
    items, _ = pages(service, node=node, metric="pressure", limit=10000,
                     **SPAN)
    assert len(items) == len(pressure)


def test_long_answers_are_counted(service):
    """So that clients who do not read cannot take the memory."""
    node = next(codes)
    service.make_series(node, "pressure", "flow", "level")
    for metric in ("pressure", "flow", "level"):
        post(service, node, metric, [i % 100 / 8 for i in range(10000)])
    merged(service, node)
    query = {"node": node, "from": SPAN["from"], "to": "2024-05-03T00:00:00Z"}
    asked = (f"GET /api/v1/readings?{urllib.parse.urlencode(query)}"
             "&limit=10000 HTTP/1.1\r\n"
             "Host: localhost\r\nAuthorization: Bearer "
             f"{service.token('viewer')}\r\n\r\n").encode()
    with contextlib.ExitStack() as all_of_them:
        told = []
        for _ in range(2 * 64 + 4):  # two workers
            s = all_of_them.enter_context(connect(service, rcvbuf=4096))
            s.sendall(asked)
            told.append(s.recv(12).decode())
        assert set(told) == {"HTTP/1.1 200", "HTTP/1.1 503"}
        assert told.count("HTTP/1.1 200") >= 64
        # Short ones are answered meanwhile.
        assert get(service, limit=300, **query).status_code == 200

    def whole():
        answer = get(service, limit=10000, **query)
        return answer.status_code == 200 and [
            len(s["items"]) for s in answer.json()["series"]] == 3 * [10000]

    wait_for("those that left make room", whole)


def test_answer_that_cannot_be_whole_is_cut(own_service):
    """A broken row in the middle: the client must not take what came before
    it for all there is."""
    service = own_service()
    service.start()
    node = next(codes)
    service.make_series(node, "pressure")
    for day in range(4):
        post(service, node, "pressure", [i % 50 for i in range(5760)],
             start=START + dt.timedelta(days=day))
    merged(service, node)
    service.sql("UPDATE segments SET data = '\\x0105ff' WHERE ctid = ("
                "SELECT ctid FROM segments ORDER BY t0 DESC LIMIT 1)")
    with connect(service) as s:
        s.sendall((f"GET /api/v1/readings?node={node}&format=csv"
                   "&from=2024-05-01T00:00:00Z&to=2024-05-09T00:00:00Z "
                   "HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                   f"{service.token('viewer')}\r\n\r\n").encode())
        got = b"".join(iter(lambda: s.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 200")
    assert got.count(b"\n") > 5760, "what was whole came first"
    assert not got.endswith(b"0\r\n\r\n"), "no last chunk"
    # A page of the same span is a problem, never a shorter page.
    assert get(service, node=node, metric="pressure", limit=10000, **{
        "from": "2024-05-04T12:00:00Z", "to": "2024-05-09T00:00:00Z",
    }).status_code == 500


@pytest.mark.parametrize("tz", ["UTC", "Pacific/Kiritimati",
                                "America/Los_Angeles"])
@pytest.mark.parametrize("span", [
    {"to": "0002-01-01T12:00:00Z"},
    {"from": "0001-01-01T00:00:00Z", "to": "0002-02-01T00:00:00Z"},
    {"from": "9999-12-01T00:00:00Z", "to": "9999-12-31T23:59:59.999999Z"},
])
def test_the_ends_of_time_hold_nothing(service, day, span, tz):
    node, _, _ = day
    for how in ({}, {"format": "csv"}, {"bucket": "1d", "tz": tz},
                {"bucket": "1mo", "tz": tz, "agg": "count"}):
        answer = get(service, node=node, metric="pressure", **span, **how)
        assert answer.status_code == 200, (how, answer.text)
        if how.get("format") != "csv":
            assert not any(i.get("count", i.get("value"))
                           for i in answer.json()["items"])


def test_nothing_is_before_the_first_instant(service, day):
    answer = get(service, node=day[0], metric="pressure",
                 to="0001-01-01T00:00:00Z")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "from must be before to"
