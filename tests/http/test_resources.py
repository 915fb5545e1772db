"""The network and the decisions over HTTPS: what all resources share. What
each of them refuses is tested in tests/sql."""

import json

import pytest

from support.service import wait_for


def problem(answer, status, pointer=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["request_id"]
    assert body["type"].startswith("/problems/") and body["title"]
    if pointer is not None:
        assert [e["pointer"] for e in body["errors"]] == [pointer]
    return body["detail"]


def test_life_of_a_node(service):
    made = service.call("POST", "/api/v1/nodes", "engineer", json={
        "code": "RES-1", "type": "tank", "zone": "RES-Z", "simulated": True,
        "series": [{"metric": "level", "unit": "cm"}]})
    assert made.status_code == 201, made.text
    path = made.headers["Location"]
    assert path == "/api/v1/nodes/RES-1"
    read = service.call("GET", path, "viewer")
    assert read.status_code == 200
    assert read.headers["Content-Type"] == "application/json"
    assert read.headers["ETag"] == made.headers["ETag"]
    assert read.json() == made.json()
    old = {"If-Match": read.headers["ETag"]}
    changed = service.call("PATCH", path, "engineer", headers=old,
                           json={"name": "Hill", "latitude": 39.2})
    assert changed.status_code == 200
    assert changed.json()["name"] == "Hill"
    problem(service.call("PATCH", path, "engineer", headers=old,
                         json={"name": "x"}), 412)
    levels = {"thresholds": [{"direction": "high", "severity": "warning",
                              "set_level": 4.5, "clear_level": 4}]}
    there = "/api/v1/series/RES-1/level/thresholds"
    put = service.call("PUT", there, "engineer", json=levels)
    assert put.status_code == 200 and put.json()["unit"] == "m"
    assert service.call("GET", there, "viewer").json() == put.json()
    gone = service.call("DELETE", path, "engineer")
    assert (gone.status_code, gone.content) == (204, b"")
    assert service.call("GET", path, "viewer").json()["retired_at"]
    codes = [n["code"] for n in service.call(
        "GET", "/api/v1/nodes?zone=RES-Z", "viewer").json()["items"]]
    assert codes == []


@pytest.mark.parametrize("body, status, pointer, words", [
    ({"type": "tank"}, 422, "/code", "required"),
    ({"code": "RES-2", "type": "tank", "colour": 1}, 422, "/colour", "colour"),
    ({"code": "RES-2", "type": "well"}, 422, "/type", "junction"),
    ({"code": "RES-2", "type": "tank", "latitude": 91}, 422, "/latitude",
     "-90 to 90"),
    ({"code": "RES 2", "type": "tank"}, 422, "/code", "letters"),
    ({"code": "RES-2", "type": "tank", "series": [
        {"metric": "level", "unit": "bar/h"}]}, 422, "/series/0/unit",
     "does not convert"),
    ({"code": "RES-2", "type": "tank", "series": [
        {"metric": "level", "cadence_s": 0}]}, 422, "/series/0/cadence_s",
     "cadence_s"),
])
def test_refusals_name_the_member(service, body, status, pointer, words):
    answer = service.call("POST", "/api/v1/nodes", "engineer", json=body)
    assert words in problem(answer, status, pointer)
    problem(service.call("GET", "/api/v1/nodes/RES-2", "viewer"), 404)


def test_same_code_twice_is_a_conflict(service):
    body = {"code": "RES-3", "type": "dma"}
    assert service.call("POST", "/api/v1/nodes", "engineer",
                        json=body).status_code == 201
    assert "RES-3" in problem(service.call(
        "POST", "/api/v1/nodes", "engineer", json=body), 409, "/code")


@pytest.mark.parametrize("path", [
    "/api/v1/nodes/none", "/api/v1/series/none/flow", "/api/v1/links/none",
    "/api/v1/gateways/none", "/api/v1/plan-templates/none",
    "/api/v1/anomalies/999999999", "/api/v1/anomalies/x",
    "/api/v1/plans/999999999", "/api/v1/plans/-1",
    "/api/v1/plans/99999999999999999999"])
def test_what_is_not_there_is_404(service, path):
    code = path.removeprefix("/api/v1/").split("/")[1]
    assert code in problem(service.call("GET", path, "viewer"), 404)


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "color=red",
    "type=well", "retired=yes", "cursor="])
def test_bad_queries(service, query):
    name = query.split("=")[0]
    assert name in problem(service.call(
        "GET", f"/api/v1/nodes?{query}", "viewer"), 422)


def test_lists_page(service):
    for i in range(5):
        assert service.call("POST", "/api/v1/nodes", "engineer", json={
            "code": f"RES-P{i}", "type": "junction", "zone": "RES-PAGE",
        }).status_code == 201
    codes, query = [], {"zone": "RES-PAGE", "limit": 2}
    while True:
        page = service.call("GET", "/api/v1/nodes", "viewer",
                            params=query).json()
        codes.append([n["code"] for n in page["items"]])
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert codes == [["RES-P0", "RES-P1"], ["RES-P2", "RES-P3"], ["RES-P4"]]


def test_the_interface_describes_itself(service):
    answer = service.call("GET", "/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    ids = [op["operationId"] for item in document["paths"].values()
           for op in item.values()]
    assert len(ids) == len(set(ids)) > 45
    # Every list of it answers, with what it promises.
    for path, item in document["paths"].items():
        if "get" not in item or "{" in path or not path.startswith("/api/"):
            continue
        op = item["get"]
        if any(p["required"] for p in op["parameters"]):
            continue
        assert service.call("GET", path).status_code == 401, path
        if "x-one-of" in op:
            assert set(op["x-one-of"]) < {p["name"] for p in op["parameters"]}
            said = problem(service.call("GET", path, "viewer"), 422)
            assert all(name in said for name in op["x-one-of"])
            continue
        role = "viewer" if "viewer" in op["x-roles"] else op["x-roles"][-1]
        # What would go on for ever is asked for what there is.
        ends = ({"follow": "false"} if any(
            p["name"] == "follow" for p in op["parameters"]) else None)
        assert service.call("GET", path, role,
                            params=ends).status_code == 200, path
        if role != "viewer":
            problem(service.call("GET", path, "viewer"), 403)


def test_the_loop_is_paused_and_resumed(service):
    # Only said and taken back: other tests need the loop.
    loop = service.call("GET", "/api/v1/loop", "viewer").json()
    assert loop["paused"] is False
    problem(service.call("POST", "/api/v1/loop/pause", "operator"), 403)
    try:
        paused = service.call("POST", "/api/v1/loop/pause", "engineer",
                              headers={"X-Request-Id": "who-paused-it"})
        assert paused.status_code == 200
        assert paused.json()["paused"] is True
        assert paused.json()["paused_by"] == "engineer"
    finally:
        resumed = service.call("POST", "/api/v1/loop/resume", "engineer")
    assert resumed.json()["paused"] is False
    # The log tells who changed what; who only looks is not in it.
    told = [json.loads(line) for line in service.log().splitlines()
            if '"who-paused-it"' in line]
    assert [(t["event"], t["route"], t["who"], t["status"]) for t in told] == [
        ("request", "loop_pause", "engineer", 200)]
    seen = service.call("GET", "/api/v1/loop", "viewer",
                        headers={"X-Request-Id": "who-looked-at-it"})
    assert seen.status_code == 200
    assert "who-looked-at-it" not in service.log()


def test_the_log_names_the_subject_of_a_change(service):
    service.make_series("RES-LOG", "level")
    assert service.call("DELETE", "/api/v1/nodes/RES-LOG", "engineer",
                        headers={"X-Request-Id": "retired-it"}).status_code == 204
    told = json.loads(wait_for("it is told", lambda: next(
        (line for line in service.log().splitlines()
         if '"retired-it"' in line and line.endswith("}")), None)))
    assert (told["route"], told["subject"]) == ("nodes_retire", "RES-LOG")
