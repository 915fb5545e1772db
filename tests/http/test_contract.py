"""The contract: /openapi.json follows OpenAPI 3.1, each route has examples,
each example is sent and its answer held against the schema, and each route
refuses as it says it does. With PENSTOCK_RECORD=1 examples whose answers have
other members by now are written anew."""

import json
import os
import pathlib
import re

import jsonschema
import pytest

from support.contract import (EVENTS, FOLDER, JSON, METHODS, PROBLEM, ROLES,
                              Contract, files, load, pretty)
from support.service import Service

RULES = json.loads((pathlib.Path(__file__).parents[1] / "support"
                    / "openapi-3.1.json").read_text(encoding="utf-8"))
OPERATIONS = {name: op for f in files()
              for name, op in load(f).get("operations", {}).items()}
NODES = re.compile(r"\{(\w+)\}")


@pytest.fixture(scope="module")
def fresh():
    # The loop is not to meddle with what the examples are about.
    s = Service(PENSTOCK_LOOP_PERIOD=3600000)
    try:
        s.start()
        yield s
    finally:
        s.remove()


@pytest.fixture(scope="module")
def contract(fresh):
    return Contract(fresh.call("GET", "/openapi.json").json())


def walk(thing, path=""):
    yield path, thing
    pairs = (thing.items() if isinstance(thing, dict)
             else enumerate(thing) if isinstance(thing, list) else ())
    for key, value in pairs:
        yield from walk(value, f"{path}/{key}")


def schemas_of(document):
    for path, thing in walk(document):
        if isinstance(thing, dict):
            if isinstance(thing.get("schema"), dict):
                yield f"{path}/schema", thing["schema"]
    for name, schema in document["components"]["schemas"].items():
        yield f"/components/schemas/{name}", schema


# -- the document ----------------------------------------------------------------


def test_it_follows_openapi(contract):
    document = contract.document
    faults = [f"{e.json_path}: {e.message[:200]}" for e in
              jsonschema.Draft202012Validator(RULES).iter_errors(document)]
    assert not faults, "\n".join(faults)
    for path, thing in walk(document):
        if isinstance(thing, dict) and isinstance(thing.get("$ref"), str):
            try:
                contract.resolve(thing)
            except (KeyError, TypeError):
                pytest.fail(f"{path}: nothing is at {thing['$ref']}")
    for path, schema in schemas_of(document):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_objects_say_whether_more_may_come(contract):
    open_ones = [
        f"{path}{inner}" for path, schema in schemas_of(contract.document)
        for inner, thing in walk(schema)
        if isinstance(thing, dict) and thing.get("type") == "object"
        and "/properties/argument" not in path + inner
        and "/properties/rule" not in path + inner
        and "additionalProperties" not in thing]
    assert not open_ones


def test_paths_and_parameters_fit(contract):
    for name, (method, path, op) in contract.routes.items():
        said = {p["name"] for p in op["parameters"] if p["in"] == "path"}
        assert said == set(NODES.findall(path)), name
        assert op["tags"] and op["summary"] and op["x-roles"], name
        assert ("requestBody" in op) <= (method in ("post", "put", "patch"))
        assert all(role in op["description"] for role in op["x-roles"]
                   if "anonymous" not in op["x-roles"]), name
        for scheme in (s for use in op["security"] for s in use):
            assert scheme in contract.document["components"][
                "securitySchemes"]


def test_each_route_has_examples_of_each_answer(contract):
    assert OPERATIONS.keys() == contract.routes.keys()
    for name, op in OPERATIONS.items():
        assert op.get("examples"), f"{name} has no example"
        said = contract.routes[name][2]["responses"]
        assert any(status.startswith("2") for status in said), name
        shown = {str(e.get("status", next(iter(
            s for s in said if s.startswith("2"))))) for e in op["examples"]}
        missing = {s for s in said if s < "4"} - shown
        assert not missing, f"{name} shows no {missing}"


def test_examples_are_what_they_are_examples_of(contract):
    wrong = []
    for name, (_, _, op) in contract.routes.items():
        parts = [("body", op["requestBody"])] if "requestBody" in op else []
        parts += [(status, contract.resolve(said))
                  for status, said in op["responses"].items()]
        for what, part in parts:
            for media, content in part.get("content", {}).items():
                for example in content.get("examples", {}).values():
                    wrong += [f"{name} {what} {fault}" for fault in
                              contract.faults(content["schema"],
                                              example["value"])]
        for parameter in op["parameters"]:
            if "example" in parameter:
                wrong += [f"{name} {parameter['name']} {fault}" for fault in
                          contract.faults(parameter["schema"],
                                          parameter["example"])]
    assert not wrong, "\n".join(wrong)


# -- examples ----------------------------------------------------------------------


def steps(contract):
    """All examples in an order in which each finds what it needs; what takes
    things away comes last, the newest first."""
    all_ = [(file, name, example) for file in files()
            for name, op in load(file).get("operations", {}).items()
            for example in op.get("examples", [])]
    late = [s for s in all_ if contract.routes[s[1]][0] == "delete"]
    return [s for s in all_ if s not in late] + late[::-1]


def skeleton(value):
    if isinstance(value, dict):
        return {k: skeleton(v) for k, v in value.items()}
    return [skeleton(v) for v in value] if isinstance(value, list) else None


def record(found):
    for file in files():
        part = load(file)
        for name, op in part.get("operations", {}).items():
            for i, example in enumerate(op.get("examples", [])):
                answer = found.get((name, json.dumps(example)))
                if answer is not None and (
                        "answer" not in example or
                        skeleton(answer) != skeleton(example["answer"])):
                    op["examples"][i] = {**example, "answer": answer}
        (FOLDER / f"{file}.json").write_text(pretty(part) + "\n")


def shown(answer):
    """An answer as an example; None: too long to be one."""
    media = answer.headers.get("Content-Type", "").split(";")[0]
    if media == JSON and 0 < len(answer.content) < 8192:
        return answer.json()
    lines = media in ("text/csv", "application/x-ndjson", EVENTS)
    return answer.text if lines and len(answer.content) < 2048 else None


@pytest.fixture(scope="module")
def walked(fresh, contract):
    """What is wrong with the answers, by file."""
    wrong, found = {file: [] for file in files()}, {}
    made = {"decisions": make_decisions, "decisions_alarms": make_alarms,
            "archives": make_archive, "webhooks": make_webhook,
            "proposals": make_room, "predictions": make_forecasts}
    for file, name, example in steps(contract):
        made.pop(file, lambda _: None)(fresh)
        if takes_if_match(contract, name):
            wrong[file] += refused(contract, fresh, name, 412, {
                **example, "headers": {"If-Match": '"another"'}})
        answer = contract.send(fresh, name, example)
        want = example.get("status")
        if want is None and answer.status_code >= 300 or (
                want is not None and answer.status_code != want):
            wrong[file].append(f"{name}: {answer.status_code}, not "
                               f"{want or 'good'}: {answer.text[:500]}")
            continue
        wrong[file] += contract.check(name, answer)
        if answer.content and "answer" in example and answer.headers[
                "Content-Type"] == JSON:
            contract.learn(example["answer"], answer.json())
        found[name, json.dumps(example)] = shown(answer)
    fresh.forget_tokens()  # some of the examples log out
    if os.environ.get("PENSTOCK_RECORD"):
        record(found)
    return wrong


@pytest.mark.parametrize("file", files())
def test_examples(walked, file):
    assert not walked[file], "\n".join(walked[file])


def make_archive(service):
    """A month as the archive's nightly run would have left it."""
    service.sql(
        "WITH a AS (INSERT INTO archives (class, from_ts, to_ts, state,"
        " verified_at, dropped_at) SELECT id, '2015-03-01 00:00Z',"
        " '2015-04-01 00:00Z', 'dropped', now(), now()"
        " FROM retention_classes WHERE code = 'operational' RETURNING id)"
        " INSERT INTO archive_files (archive_id, day, shard, path, readings,"
        " series, first_ts, last_ts, bytes, sha256, header, blocks)"
        " SELECT id, '2015-03-01', 0, 'readings/class=operational/"
        "day=2015-03-01/shard=0/readings.avro', 96, 1,"
        " '2015-03-01 00:00Z', '2015-03-01 23:45Z', 1410, sha256('x'), '',"
        " '' FROM a")


def make_webhook(service):
    """One that had its event."""
    service.sql(
        "WITH w AS (INSERT INTO webhooks (code, url, types, enabled) VALUES"
        " ('OLD', 'https://old.example.com/', '{plan}', false) RETURNING id)"
        " INSERT INTO webhook_deliveries (webhook_id, event_id, state,"
        " attempts, status, closed_at) SELECT w.id, 1, 'delivered', 1, 204,"
        " now() FROM w")


def make_forecasts(service):
    """A champion that has forecast, and a challenger, as two nights would
    have left them."""
    service.sql(
        "INSERT INTO models (series_id, version, state, reason, fitted_at,"
        " trained_from, trained_to, origins, hours, mae, naive_mae, inside,"
        " rival_id, rival_mae, format, model, crowned_at) SELECT s.id, w.v,"
        " w.state, w.reason, now(), '2024-03-01 00:00Z', '2024-05-01 00:00Z',"
        " 7, 672, w.mae, 2.5, 640, w.rival, w.theirs, 1, 'x', w.crowned"
        " FROM forecast_series s, (VALUES (1, 'champion',"
        " 'there was no other', 1.5, NULL, NULL, now()), (2, 'challenger',"
        " 'its error is not lower than that of version 1', 1.6, 1, 1.5, NULL)"
        " ) w(v, state, reason, mae, rival, theirs, crowned)"
        " WHERE s.node = 'METER-7' AND s.metric = 'flow'")
    service.sql(
        "INSERT INTO predictions (series_id, model_id, origin, value, lower95,"
        " upper95) SELECT series_id, id, date_trunc('hour', now()),"
        " '{41.5, 40.25, 39}', '{36.5, 35, 33.5}', '{46.5, 45.5, 44.5}'"
        " FROM models WHERE version = 1")
    service.sql(
        "INSERT INTO model_scores SELECT id, now() - interval '1 day', 0, 24,"
        " 36, 60, 23 FROM models WHERE version = 1")
    service.sql(
        "INSERT INTO fit_runs (night, began_at, ended_at, predicted, fitted,"
        " crowned, refused, left_over) VALUES ('2024-05-08 02:00Z',"
        " '2024-05-08 02:00Z', '2024-05-08 02:01Z', 1, 1, 0, 0, 0)")


def make_decisions(service):
    """An anomaly with three plans that wait for a decision, one whose command
    failed, one of whose command nobody knows and one that was stopped after
    its command was executed, as the loop and people leave them."""
    service.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, value, limit_value, evidence,"
        " knowledge_version) SELECT s.id, 'threshold', 'high', 'critical',"
        " 'open', 'threshold:1', '2024-05-01 06:00Z', '2024-05-01 06:05Z',"
        " 47.5, 45, '{\"limit\": 45}', 7 FROM series s JOIN nodes n ON"
        " n.id = s.node_id JOIN metrics m ON m.id = s.metric_id"
        " WHERE n.code = 'METER-7' AND m.code = 'flow'")
    for state, command, link in (*3 * [("proposed", "planned", "VALVE-3")],
                                 ("failed", "failed", "VALVE-4"),
                                 ("failed", "unknown", "VALVE-4"),
                                 ("cancelled", "executed", "VALVE-3")):
        service.sql(
            "WITH p AS (INSERT INTO plans (anomaly_id, template_id, state,"
            " proposed_at, expires_at, effect_series_id, effect_direction,"
            " effect_least, effect_window_s, command_life_s, reasons,"
            " knowledge_version, closed_at) SELECT a.id, t.id, w.state,"
            " now(), now() + interval '1 h', a.series_id, 'low', 2, 60, 300,"
            " '[]', 7, CASE WHEN w.state <> 'proposed' THEN now() END"
            " FROM anomalies a, plan_templates t, (SELECT %s AS state) w"
            " RETURNING id, closed_at) INSERT INTO commands (plan_id, step,"
            " state, link_id, gateway_id, action, argument, key, dead_at)"
            " SELECT p.id, 1, %s, l.id, l.gateway_id, 'close_valve', '{}',"
            " gen_random_uuid(), p.closed_at FROM p, links l"
            " WHERE l.code = %s", state, command, link)


def make_room(service):
    """Nothing is on its way where something is to be proposed."""
    service.sql("UPDATE plans SET state = 'cancelled', closed_at = now()"
                " WHERE closed_at IS NULL")
    service.sql("UPDATE anomalies SET state = 'open', cleared_at = NULL"
                " WHERE id = 1")


def make_alarms(service):
    """An anomaly that is over, and waits to be resolved."""
    service.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, cleared_at, evidence,"
        " knowledge_version, alarm_state) SELECT series_id, 'rate', 'high',"
        " 'critical', 'cleared', 'rate', first_at, last_at, last_at, '{}', 7,"
        " 'latched' FROM anomalies WHERE id = 1")
    service.sql(
        "WITH i AS (INSERT INTO incidents (opened_at, root_id, root_reason)"
        " VALUES ('2024-05-01 06:00Z', 2, 'the first') RETURNING id)"
        " UPDATE anomalies a SET incident_id = i.id FROM i WHERE a.id = 2")


# -- refusals ------------------------------------------------------------------------


def takes_if_match(contract, name):
    return any(p["name"] == "If-Match"
               for p in contract.routes[name][2]["parameters"])


def refusals(contract, name):
    """Requests that must fail, with the status: made of a route's first
    example, with another's credential."""
    method, path, op = contract.routes[name]
    good = {k: v for k, v in OPERATIONS[name]["examples"][0].items()
            if k not in ("headers", "answer")}
    roles = op["x-roles"]
    if "anonymous" not in roles:
        yield 401, {**good, "as": "nobody"}
        yield 401, {**good, "headers": {"Authorization": "Bearer x.y.z"}}
        if other := [r for r in ROLES if r not in roles]:
            yield 403, {**good, "as": other[-1]}
    query = good.get("query", {})
    yield 422, {**good, "query": {**query, "colour": "red"}}
    for parameter in op["parameters"]:
        if parameter["in"] == "query" and parameter["required"]:
            yield 422, {**good, "query": {
                k: v for k, v in query.items() if k != parameter["name"]}}
    if "requestBody" not in op:
        yield 400, {**good, "body": "{}"}
    else:
        media = list(op["requestBody"]["content"])
        yield 415, {**good, "body": "x", "type": "application/x-unknown"}
        yield 413, {**good, "type": media[0], "body": " " * ((8 << 20) + 1)}
        if JSON in media:
            yield 400, {**good, "type": JSON, "body": "{\"a\": "}
            yield 422, {**good, "type": JSON, "body": {"colour": "red"}}
    if "{" in path:
        yield 404, {**good, "path": {k: "99999999" for k in good["path"]}}


def refused(contract, service, name, status, example):
    """What is wrong with the refusal, in words."""
    answer = contract.send(service, name, example)
    what = f"{name}: {answer.status_code}, not {status}"
    if answer.status_code != status:
        return [f"{what}: {answer.text[:300]} to {example}"[:500]]
    wrong = contract.check(name, answer)
    if answer.headers["Content-Type"] != PROBLEM:
        wrong.append(f"{what}: {answer.headers['Content-Type']}")
    elif answer.json()["status"] != status:
        wrong.append(f"{what}: {answer.text}")
    return wrong


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_refusals(contract, fresh, walked, name):
    wrong = [fault for status, example in refusals(contract, name)
             for fault in refused(contract, fresh, name, status, example)]
    assert not wrong, "\n".join(wrong)


def test_other_methods_are_405(contract, fresh):
    for path in {path for _, path, _ in contract.routes.values()}:
        there = contract.document["paths"][path]
        for method in METHODS:
            if method in there:
                continue
            answer = fresh.call(method.upper(), NODES.sub("x", path))
            known = {m.upper() for m in there}
            allowed = set(re.split(", *", answer.headers.get("Allow", "")))
            # Another path with a {name} may know the method.
            if answer.status_code == 405:
                assert known <= allowed | {"TRACE"}, (method, path)
                problem = contract.document["components"]["responses"]["405"]
                assert not contract.faults(
                    problem["content"][PROBLEM]["schema"], answer.json())
            else:
                assert answer.status_code in (401, 404), (method, path)
