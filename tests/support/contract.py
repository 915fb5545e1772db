"""The examples of assets/contract as requests, and what /openapi.json says of
the answers."""

import json
import pathlib
import re
import urllib.parse

import jsonschema

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "assets" / "contract"
# Whose examples need what another's have made comes behind it.
FIRST = ["service", "network", "templates", "readings", "meters", "decisions"]
LAST = ["stream", "identity"]
METHODS = ["get", "post", "put", "patch", "delete"]
ROLES = ["device", "viewer", "operator", "engineer", "admin"]
LEARNED = {"id", "key", "access_token", "refresh_token"}
JSON = "application/json"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"


def files():
    names = sorted(p.stem for p in FOLDER.glob("*.json"))
    rank = {n: i - 100 for i, n in enumerate(FIRST)}
    rank.update({n: i + 100 for i, n in enumerate(LAST)})
    return sorted(names, key=lambda n: (rank.get(n, 0), n))


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def pretty(value, depth=0):
    """JSON in tabs; what fits a line is one."""
    line = json.dumps(value, ensure_ascii=False)
    if depth > 0 and len(line) + 8 * depth <= 100 or value in ({}, []):
        return line
    tab, end = "\t" * (depth + 1), "\t" * depth
    if isinstance(value, dict):
        items = [f"{json.dumps(k, ensure_ascii=False)}: {pretty(v, depth + 1)}"
                 for k, v in value.items()]
    elif isinstance(value, list):
        items = [pretty(v, depth + 1) for v in value]
    else:
        return line
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{tab}" + f",\n{tab}".join(items) + f"\n{end}{right}"


def take_events(answer, n):
    """The answer ends behind its n-th event."""
    taken = []
    for line in answer.iter_lines(chunk_size=1):
        taken.append(line)
        n -= line.startswith(b"data: ")
        if n == 0:
            break
    answer.close()
    answer._content = b"\n".join(taken) + b"\n"


class Contract:
    """One service's document, and what is known of its ids by now."""

    def __init__(self, document):
        self.document = document
        self.routes = {
            op["operationId"]: (method, path, op)
            for path, item in document["paths"].items()
            for method, op in item.items()}
        self.known = {}

    def resolve(self, thing):
        while "$ref" in thing:
            at = self.document
            for step in thing["$ref"].removeprefix("#/").split("/"):
                at = at[step]
            thing = at
        return thing

    def faults(self, schema, value):
        validator = jsonschema.Draft202012Validator(
            schema, resolver=jsonschema.RefResolver("", self.document),
            format_checker=jsonschema.draft202012_format_checker)
        return [f"{e.json_path}: {e.message[:300]}"
                for e in validator.iter_errors(value)]

    # -- what the examples call a thing, and what it is called here ----------

    def learn(self, example, actual):
        """Of lists nothing: their order may be another."""
        if not isinstance(example, dict) or not isinstance(actual, dict):
            return
        for name in example.keys() & actual.keys():
            ours, theirs = example[name], actual[name]
            if name in LEARNED and ours != theirs and None not in (
                    ours, theirs):
                self.known[str(ours)] = str(theirs)
            self.learn(ours, theirs)

    def here(self, value):
        if isinstance(value, dict):
            return {k: self.here(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.here(v) for v in value]
        if not isinstance(value, str):
            return value
        if value.startswith("Bearer "):
            return "Bearer " + self.here(value[7:])
        return self.known.get(value, value)

    # -- requests --------------------------------------------------------------

    def path(self, name, values=None):
        path = self.routes[name][1]
        for key, value in self.here(values or {}).items():
            path = path.replace(
                "{" + key + "}", urllib.parse.quote(str(value), safe=":"))
        return path

    def role(self, name, wanted=None):
        roles = self.routes[name][2]["x-roles"]
        if "anonymous" in roles or wanted == "nobody":
            return None
        return wanted or next(r for r in ROLES if r in roles)

    def send(self, service, name, example):
        method = self.routes[name][0].upper()
        headers = self.here(example.get("headers", {}))
        body = self.here(example.get("body"))
        if body is not None:
            headers.setdefault("Content-Type", example.get("type", JSON))
            body = (body if isinstance(body, str)
                    else json.dumps(body)).encode()
        role = None if "Authorization" in headers else self.role(
            name, example.get("as"))
        answer = service.call(
            method, self.path(name, example.get("path")), role,
            params={k: str(v).lower() if isinstance(v, bool) else v for k, v
                    in self.here(example.get("query", {})).items()},
            data=body, headers=headers, stream="takes" in example)
        if "takes" in example and answer.status_code == 200:
            take_events(answer, example["takes"])
        return answer

    # -- answers ---------------------------------------------------------------

    def response(self, name, status):
        """What is said of that status; None if it is not listed."""
        said = self.routes[name][2]["responses"].get(str(status))
        return None if said is None else self.resolve(said)

    def check(self, name, answer):
        """What is wrong with an answer, in words."""
        said = self.response(name, answer.status_code)
        where = f"{name} {answer.status_code}"
        if said is None:
            return [f"{where}: not listed; {answer.text[:300]}"]
        wrong = [f"{where}: {field} is not listed"
                 for field in ("ETag", "Location", "Retry-After", "Allow",
                               "WWW-Authenticate")
                 if field in answer.headers
                 and field not in said.get("headers", {})]
        content = said.get("content", {})
        if not answer.content:
            return wrong + ([f"{where}: has no body"] if content else [])
        media = answer.headers["Content-Type"].split(";")[0]
        if media not in content:
            return wrong + [f"{where}: {media} is not listed"]
        schema = content[media]["schema"]
        value = (answer.json() if media in (JSON, PROBLEM)
                 else answer.text)
        faults = self.faults(schema, value)
        if media == EVENTS:
            for data in re.findall("^data: (.*)$", value, re.M):
                faults += self.faults(schema["x-data"], json.loads(data))
        return wrong + [f"{where} {fault}" for fault in faults]
