"""Replies in gzip: for whom, what it does to ETag and Vary, and that what
comes out is what would have come without."""

import gzip
import json

import pytest


def fetch(service, path, accept, role="viewer", **headers):
    """Status, headers and the bytes as they were on the wire."""
    with service.session(role) as session:
        answer = session.get(
            service.url + path, stream=True, timeout=20,
            headers={"Accept-Encoding": accept, **headers})
        return answer.status_code, answer.headers, answer.raw.read()


@pytest.fixture(scope="module")
def nodes(service):
    """So many that lists of them are long."""
    for i in range(0, 200, 50):
        for n in range(i, i + 50):
            answer = service.call("POST", "/api/v1/nodes", "admin", json={
                "code": f"CODING-{n}", "type": "junction", "name": f"Coding {n}"})
            assert answer.status_code in (201, 409), answer.text
    return 200


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/api/v1/nodes?limit=500"])
def test_coded_and_plain_say_the_same(service, nodes, path):
    status, plain, body = fetch(service, path, "identity")
    assert status == 200 and "Content-Encoding" not in plain and len(body) > 1024
    assert "Accept-Encoding" in plain["Vary"]
    status, coded, packed = fetch(service, path, "br;q=1.0, gzip;q=0.8")
    assert status == 200 and coded["Content-Encoding"] == "gzip"
    assert len(packed) < len(body) / 2
    again = gzip.decompress(packed)
    if path == "/metrics":  # counts on
        assert again.splitlines()[0] == body.splitlines()[0]
    else:
        assert json.loads(again) == json.loads(body)
    assert "Accept-Encoding" in coded["Vary"]


def test_small_answers_are_as_they_are(service):
    _, headers, body = fetch(service, "/health", "gzip")
    assert "Content-Encoding" not in headers and json.loads(body)


def test_tag_of_a_coded_answer(service, nodes):
    status, headers, _ = fetch(service, "/api/v1/nodes/CODING-1", "gzip")
    assert status == 200
    tag = headers["ETag"]
    # Short, so it came as it is; the tag of a coded one is as good.
    assert not tag.endswith('-gzip"')
    coded = tag[:-1] + '-gzip"'
    for match, status in ((coded, 200), (coded, 412)):
        answer = service.call(
            "PATCH", "/api/v1/nodes/CODING-1", "admin",
            json={"name": "another"}, headers={"If-Match": match})
        assert answer.status_code == status, answer.text
