"""POST of readings as JSON, CSV and ndjson, plain and gzip'd."""

import csv
import gzip
import io
import itertools
import json
import random

import pytest

codes = (f"F-{i}" for i in itertools.count())
TYPES = {"json": "application/json", "csv": "text/csv",
         "ndjson": "application/x-ndjson"}


@pytest.fixture
def node(service):
    code = next(codes)
    service.make_series(code, "pressure", "flow", zone="FORMATS")
    return code


def as_json(readings):
    return json.dumps({"readings": readings}).encode()


def as_ndjson(readings):
    return "".join(json.dumps(r) + "\n" for r in readings).encode()


def as_csv(readings, order=("node", "metric", "ts", "value", "unit")):
    out = io.StringIO()
    rows = csv.DictWriter(out, order, restval="", lineterminator="\r\n")
    rows.writeheader()
    rows.writerows(readings)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


WRITERS = {"json": as_json, "csv": as_csv, "ndjson": as_ndjson}


def send(service, form, body, coding=None, role="device"):
    headers = {"Content-Type": TYPES[form]}
    if coding:
        headers["Content-Encoding"] = coding
    return service.call("POST", "/api/v1/readings", role, data=body,
                        headers=headers)


def stored(service, node):
    return service.sql(
        "SELECT metric, ts, value, quality FROM readings WHERE node = %s "
        "ORDER BY 1, 2", node)


def some_readings(node, rng):
    return [{
        "node": rng.choice([node, node, node, "NOWHERE", "a,b \"c\""]),
        "metric": rng.choice(["pressure", "flow"]),
        "ts": f"2024-05-01T00:{rng.randrange(60):02d}:00Z",
        "value": rng.choice([1, 2.5, -0.125, 1e3, 31.4159265358979]),
        **({"unit": rng.choice(["m", "bar", "L/s", "furlong"])}
           if rng.random() < .5 else {}),
    } for _ in range(200)]


def test_every_form_comes_to_the_same(service):
    """Repeats, conflicts and rejections included; then all again."""
    said, kept = [], []
    for form, coding in itertools.product(TYPES, (None, "gzip")):
        node = next(codes)
        service.make_series(node, "pressure", "flow", zone="FORMATS")
        readings = some_readings(node, random.Random(7))
        body = WRITERS[form](readings)
        if coding:
            body = gzip.compress(body)
        for _ in range(2):
            answer = send(service, form, body, coding)
            assert answer.status_code == 200, answer.text
            said.append(answer.json())
        kept.append(stored(service, node))
    for first, again in zip(said[::2], said[1::2]):
        assert first == said[0]
        assert again == said[1]
    for rows in kept:
        assert rows == kept[0]
    assert said[0]["accepted"] == len(kept[0]) > 10
    assert said[1]["accepted"] == 0
    assert said[1]["duplicates"] >= said[0]["accepted"]


def test_a_loggers_file_as_it_is(service, node):
    body = (f'ts,value,metric,node\n'
            f'2024-05-01 00:00:00Z,30,pressure,{node}\n'
            f'2024-05-01T02:15:00+02:00,,pressure,{node}\n'
            f'2024-05-01T02:30:00+02:00,"31.5",pressure,"{node}"\n'
            f'2024-05-01T00:45:00Z,n/a,pressure,{node}\n').encode()
    said = send(service, "csv", body).json()
    assert (said["accepted"], said["rejected"], said["empty"]) == (2, 1, 1)
    assert said["items"] == [{
        "index": 3, "status": "rejected", "reason": "bad_item",
        "detail": '"value" must be a number'}]
    assert [v for _, _, v, _ in stored(service, node)] == [30.0, 31.5]


def test_a_broken_line_of_ndjson_spoils_itself_alone(service, node):
    good = as_ndjson([{"node": node, "metric": "flow", "value": 1,
                       "ts": "2024-05-01T00:00:00Z"}])
    said = send(service, "ndjson", b'{"node":\n' + good + b"[]\n").json()
    assert said["accepted"] == 1
    assert [(i["index"], i["reason"]) for i in said["items"]] == [
        (0, "bad_item"), (2, "bad_item")]
    assert "column 9" in said["items"][0]["detail"]


@pytest.mark.parametrize("head, word", [
    (b"node,metric,ts\n", "value"),
    (b"node;metric;ts;value\n", "commas"),
    (b"node,metric,ts,value,colour\n", "colour"),
    (b"", "unknown column"),
])
def test_a_header_that_cannot_be_used_stores_nothing(
        service, node, head, word):
    row = f"{node},flow,2024-05-01T00:00:00Z,1\n".encode()
    answer = send(service, "csv", head + row)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert stored(service, node) == []


def test_what_is_not_taken_is_415_naming_what_is(service, node):
    answer = service.call("POST", "/api/v1/readings", "device", data=b"x",
                          headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415
    for media in TYPES.values():
        assert media in answer.json()["detail"]
    answer = send(service, "csv", b"x", "br")
    assert answer.status_code == 415
    assert "gzip" in answer.json()["detail"]


def test_gzip_that_is_damaged_or_too_much(service, node):
    row = f"{node},flow,2024-05-01T00:00:00Z,1\n".encode()
    whole = gzip.compress(b"node,metric,ts,value\n" + row)
    for damaged in (whole[:-1], whole[:10], whole + b"x", b"plain text",
                    whole[:20] + bytes([whole[20] ^ 255]) + whole[21:]):
        assert send(service, "csv", damaged, "gzip").status_code == 400
    bomb = gzip.compress(bytes(7 << 20), 9)
    large = gzip.compress(random.Random(1).randbytes(1 << 20) * 9, 1)
    for body in (bomb, large[:2 << 20]):
        answer = send(service, "csv", body, "gzip")
        assert answer.status_code in (400, 413), answer.text
    assert send(service, "csv", bomb, "gzip").status_code == 413
    assert stored(service, node) == []
    assert send(service, "csv", whole, "gzip").json()["accepted"] == 1


def test_the_document_tells_the_forms(service):
    body = service.call("GET", "/openapi.json", None).json()["paths"][
        "/api/v1/readings"]["post"]["requestBody"]
    assert set(body["content"]) == set(TYPES.values())
    assert "gzip" in body["description"]
