"""The record of changes over HTTPS: every changing route leaves exactly one
row with who did it, and one more for whoever may not."""

import datetime
import csv
import hashlib
import io
import json
import re
import secrets
import subprocess
import time

import pytest
import requests.adapters

from support.service import ROOT, wait_for

ENGINEER, ADMIN, OPERATOR = "engineer", "admin", "operator"
ROLES = "viewer", OPERATOR, ENGINEER, ADMIN
PASSWORD = "brevity chalk lantern"


class World:
    """What the routes below are called on, made where it is needed."""

    def __init__(self, service):
        self.s = service
        self.made = {}

    def new(self, what="N"):
        return what + secrets.token_hex(4)

    def ok(self, *call, **more):
        answer = self.s.call(*call, **more)
        assert answer.status_code < 300, answer.text
        return answer

    def node(self):
        code = self.new()
        self.ok("POST", "/api/v1/nodes", ENGINEER,
                json={"code": code, "type": "tank"})
        return code

    def series(self, metric="level", **more):
        code = self.node()
        self.ok("POST", "/api/v1/series", ENGINEER,
                json={"node": code, "metric": metric, **more})
        return f"{code}/{metric}"

    def gateway(self):
        code = self.new("g")
        self.ok("POST", "/api/v1/gateways", ADMIN,
                json={"code": code, "url": "http://127.0.0.1:9"})
        return code

    def link(self):
        code = self.new("l")
        self.ok("POST", "/api/v1/links", ENGINEER, json={
            "code": code, "type": "valve", "from_node": self.node(),
            "to_node": self.node(), "gateway": self.gateway()})
        return code

    def template_body(self, **more):
        return {"code": self.new("t"), "name": "T", "metric": "level",
                "least_severity": "info", "effect_window_s": 60,
                "enabled": False, "actions": [
                    {"step": 1, "action": "close", "target_type": "valve",
                     "target_relation": "inlet"}], **more}

    def template(self, who=ENGINEER, **more):
        body = self.template_body(**more)
        self.ok("POST", "/api/v1/plan-templates", who, json=body)
        return body["code"]

    def user(self):
        name = self.new("u")
        self.ok("POST", "/api/v1/users", ADMIN, json={
            "username": name, "password": PASSWORD, "role": "viewer"})
        return name

    def log_in(self, name=None):
        name = name or self.user()
        return self.ok("POST", "/api/v1/auth/token", json={
            "username": name, "password": PASSWORD}).json()

    def key(self):
        return self.ok("POST", "/api/v1/api-keys", ENGINEER,
                       json={"name": self.new()}).json()["id"]

    def open_import(self):
        return self.ok("POST", "/api/v1/imports", ENGINEER,
                       json={"name": "x"}).json()["id"]

    def event(self):
        series = self.series("volume", kind="total")
        return series, self.ok(
            "POST", f"/api/v1/series/{series}/meter-events", ENGINEER,
            json={"at": "2026-01-01T00:00:00Z", "type": "reset"}).json()["id"]

    def anomaly(self):
        node = self.series().split("/")[0]
        return self.s.sql(
            "INSERT INTO anomalies (series_id, type, direction, severity,"
            " state, rule_id, first_at, last_at, evidence,"
            " knowledge_version, planning) SELECT s.id, 'threshold', 'high',"
            " 'info', 'open', 'x', now(), now(), '{}', 1, 'no_plan_fits'"
            " FROM series s JOIN nodes n ON n.id = s.node_id"
            " WHERE n.code = %s RETURNING id", node)[0][0]

    def alarm(self, act=None, **body):
        """Its anomaly's id; after an act."""
        anomaly = self.anomaly()
        if act:
            self.ok("POST", f"/api/v1/anomalies/{anomaly}/{act}", ENGINEER,
                    json={"reason": "x", **body})
        return (anomaly,)

    def maintenance(self):
        return {"json": {"node": self.node(), "reason": "x", "to": (
            datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(hours=1)).isoformat()}}

    def hold(self):
        return self.ok("POST", "/api/v1/maintenance-windows", OPERATOR,
                       **self.maintenance()).json()["id"]

    def plan(self, state="proposed"):
        return self.s.sql(
            "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
            " expires_at, effect_direction, effect_least, effect_window_s,"
            " command_life_s, reasons, knowledge_version)"
            " SELECT %s, t.id, %s, now(), now() + interval '1 h',"
            " 'none', 0, 60, 60, '{}', 1 FROM plan_templates t"
            " WHERE code = %s RETURNING id",
            self.anomaly(), state, self.template(undo=[
                {"step": 1, "action": "open", "target_type": "valve",
                 "target_relation": "zone"}]))[0][0]

    def proposal(self):
        """An anomaly, and a template that moves something about it."""
        anomaly = self.anomaly()
        node, = self.s.sql(
            "SELECT n.code FROM anomalies a JOIN series s ON"
            " s.id = a.series_id JOIN nodes n ON n.id = s.node_id"
            " WHERE a.id = %s", anomaly)[0]
        self.ok("POST", "/api/v1/links", ENGINEER, json={
            "code": self.new("l"), "type": "valve", "from_node": self.node(),
            "to_node": node, "gateway": self.gateway()})
        return (anomaly,), body(template=self.template(enabled=True),
                                reason="x")

    def stopped(self):
        """A plan that can be undone."""
        return self.s.sql(
            "UPDATE plans p SET state = 'worked' FROM commands c"
            " WHERE c.id = %s AND p.id = c.plan_id RETURNING p.id",
            self.dead("executed"))[0][0]

    def review(self):
        return self.s.sql(
            "INSERT INTO after_reviews (plan_id, opened_by, opened_at,"
            " reason) VALUES (%s, 'x', now(), 'x') RETURNING id",
            self.plan())[0][0]

    def calm(self):
        self.s.sql("UPDATE loop_status SET emergency = false")

    def dead(self, state):
        """A command that ended so, and its plan with it."""
        plan, link = self.plan(), self.link()
        self.s.sql("UPDATE plans SET state = 'failed', closed_at = now()"
                   " WHERE id = %s", plan)
        return self.s.sql(
            "INSERT INTO commands (plan_id, step, state, link_id, gateway_id,"
            " action, argument, key, not_after, dead_at, closed_at)"
            " SELECT %s, 1, %s, l.id, gateway_id, 'close', '{}',"
            " gen_random_uuid(), now(), now(), now() FROM links l"
            " WHERE l.code = %s RETURNING id", plan, state, link)[0][0]

    def locked(self):
        link = self.link()
        self.ok("POST", f"/api/v1/links/{link}/lock", OPERATOR,
                json={"reason": "x"})
        return link

    def zone(self):
        return self.s.sql("INSERT INTO zones (code) VALUES (%s)"
                          " RETURNING code", self.new("z"))[0][0]

    def hands_off(self):
        zone = self.zone()
        self.ok("POST", "/api/v1/hands-off", OPERATOR,
                json={"zone": zone, "reason": "x"})
        return zone

    def rule_body(self):
        return {"code": self.new("r"), "rule": {
            "when": {"series": self.series("flow"), "value": {"above": 1}},
            "severity": "info", "message": "x"}}

    def rule(self):
        made = self.rule_body()
        self.ok("POST", "/api/v1/rules", ENGINEER, json=made)
        return made["code"]

    def model(self):
        """The challenger of a champion."""
        node, metric = self.series("flow").split("/")
        return self.s.sql(
            "WITH m AS (INSERT INTO models (series_id, version, state, reason,"
            " trained_from, trained_to, origins, hours, mae, naive_mae,"
            " inside, format, model) SELECT id, v, state, '', now(), now(),"
            " 7, 1, 1, 1, 1, 1, '' FROM forecast_series, (VALUES"
            " (1, 'champion'), (2, 'challenger')) w(v, state)"
            " WHERE node = %s AND metric = %s RETURNING id, version)"
            " SELECT id FROM m WHERE version = 2", node, metric)[0][0]

    def webhook_body(self):
        """Of one that is sent nothing."""
        return {"code": self.new("w"), "url": "https://127.0.0.1:9/",
                "types": ["loop"], "enabled": False}

    def webhook(self):
        made = self.webhook_body()
        self.ok("POST", "/api/v1/webhooks", ADMIN, json=made)
        return made["code"]

    def delivery(self):
        """A dead letter: its webhook and event."""
        code = self.webhook()
        for what in "pause", "resume":
            self.ok("POST", f"/api/v1/loop/{what}", ENGINEER)
        return code, self.s.sql(
            "INSERT INTO webhook_deliveries (webhook_id, event_id, state)"
            " SELECT w.id, (SELECT max(id) FROM events), 'dead'"
            " FROM webhooks w WHERE w.code = %s RETURNING event_id",
            code)[0][0]


def body(**members):
    return {"json": members}


def tank(world):
    return body(code=world.new(), type="tank")


def with_link(world):
    return body(code=world.new("l"), type="pipe", from_node=world.node(),
                to_node=world.node())


# operationId: what makes the path's words, the body, the least role. Each
# succeeds and changes something.
CALLS = {
    "nodes_create": (lambda w: ((), tank(w)), ENGINEER),
    "nodes_change": (lambda w: ((w.node(),), body(name="X")), ENGINEER),
    "nodes_retire": (lambda w: ((w.node(),), {}), ENGINEER),
    "series_create": (lambda w: ((), body(node=w.node(), metric="level")),
                      ENGINEER),
    "series_change": (lambda w: (w.series().split("/"), body(cadence_s=9)),
                      ENGINEER),
    "thresholds_put": (lambda w: (w.series().split("/"), body(thresholds=[
        {"direction": "high", "severity": s, "set_level": 2,
         "clear_level": 1} for s in ("info", "warning")])), ENGINEER),
    "links_create": (lambda w: ((), with_link(w)), ENGINEER),
    "links_change": (lambda w: ((w.link(),), body(gateway=None)), ENGINEER),
    "links_delete": (lambda w: ((w.link(),), {}), ENGINEER),
    "gateways_create": (lambda w: ((), body(code=w.new("g"),
                                            url="http://127.0.0.1:9")), ADMIN),
    "gateways_change": (lambda w: ((w.gateway(),), body(name="G")), ADMIN),
    "zones_change": (lambda w: ((w.zone(),), body(night_use=2)), ENGINEER),
    "zone_controls_put": (lambda w: ((w.zone(),), {
        "data": "[CONTROLS]\nLINK P OPEN IF NODE T BELOW 1\n",
        "headers": {"Content-Type": "text/plain"}}), ENGINEER),
    "gateways_secret": (lambda w: ((w.gateway(),), {}), ADMIN),
    "link_guards_put": (lambda w: ((w.link(),), body(
        max_per_hour=3, limits=[dict(zip(("node", "metric"),
                                         w.series().split("/")), high=2)])),
                        ENGINEER),
    "link_lock": (lambda w: ((w.link(),), body(reason="x")), OPERATOR),
    "link_unlock": (lambda w: ((w.locked(),), body(reason="x")), OPERATOR),
    "hands_off_set": (lambda w: ((), body(zone=w.zone(), reason="x")),
                      OPERATOR),
    "hands_off_release": (lambda w: ((), body(zone=w.hands_off(),
                                              reason="x")), OPERATOR),
    "templates_create": (lambda w: ((), {"json": w.template_body()}),
                         ENGINEER),
    "templates_change": (lambda w: ((w.template(),), body(name="U")),
                         ENGINEER),
    "template_proof_put": (lambda w: ((w.template(),), body(dwell_s=5)),
                           ENGINEER),
    "template_figures_accept": (lambda w: ((w.template(),), body(
        trials=0, successes=0)), ENGINEER),
    "anomalies_ack": (lambda w: ((w.anomaly(),), body(note="seen")),
                      OPERATOR),
    "anomalies_comment": (lambda w: (w.alarm(), body(text="x")), OPERATOR),
    "anomalies_assign": (lambda w: (w.alarm(), body(to=w.user())), OPERATOR),
    "anomalies_shelve": (lambda w: (w.alarm(), body(for_s=9, reason="x")),
                         OPERATOR),
    "anomalies_unshelve": (lambda w: (w.alarm("shelve", for_s=99), body()),
                           OPERATOR),
    "anomalies_resolve": (lambda w: ((w.s.sql(
        "UPDATE anomalies SET state = 'cleared', alarm_state = 'latched'"
        " WHERE id = %s RETURNING id", w.anomaly())[0][0],), body()),
                          OPERATOR),
    "anomalies_take_out": (lambda w: (w.alarm(), body(reason="x")),
                           ENGINEER),
    "anomalies_put_back": (lambda w: (w.alarm("out-of-service"), body()),
                           ENGINEER),
    "maintenance_create": (lambda w: ((), w.maintenance()), OPERATOR),
    "out_of_service_create": (lambda w: ((), body(node=w.node(),
                                                  reason="x")), ENGINEER),
    "holds_end": (lambda w: ((w.hold(),), {}), OPERATOR),
    "alarm_classes_change": (lambda w: (("info",), body(
        shelve_most_s=1000 + secrets.randbelow(99999))), ENGINEER),
    "plans_approve": (lambda w: ((w.plan(),), body()), OPERATOR),
    "plans_reject": (lambda w: ((w.plan(),), body(reason="no")), OPERATOR),
    "plans_cancel": (lambda w: ((w.plan("approved"),), body(reason="x")),
                     OPERATOR),
    "plans_undo": (lambda w: ((w.stopped(),), body(reason="x")), OPERATOR),
    "plans_propose": (lambda w: w.proposal(), ENGINEER),
    "plans_override": (lambda w: ((w.plan(),), body(reason="x")), ENGINEER),
    "after_reviews_close": (lambda w: ((w.review(),), body(findings="x")),
                            ENGINEER),
    "templates_preapprove": (lambda w: ((w.template(protective=True,
                                                    who=ADMIN),),
                                        body(approved=True)), ENGINEER),
    "loop_emergency": (lambda w: w.calm() or ((), body(on=True, reason="x")),
                       ENGINEER),
    "commands_redrive": (lambda w: ((w.dead("failed"),), body(reason="x")),
                         OPERATOR),
    "commands_settle": (lambda w: ((w.dead("unknown"),), body(
        outcome="executed", reason="x")), OPERATOR),
    "loop_pause": (lambda w: (w.s.call("POST", "/api/v1/loop/resume",
                                       ENGINEER) and (), {}), ENGINEER),
    "loop_resume": (lambda w: (w.s.call("POST", "/api/v1/loop/pause",
                                        ENGINEER) and (), {}), ENGINEER),
    "imports_create": (lambda w: ((), body(name="y")), ENGINEER),
    "imports_finish": (lambda w: ((w.open_import(),), {}), ENGINEER),
    "imports_cancel": (lambda w: ((w.open_import(),), {}), ENGINEER),
    "retention_put": (lambda w: (("operational",), body(
        keep_days=1000 + secrets.randbelow(9000))), ADMIN),
    "meter_events_create": (lambda w: (
        w.series("volume", kind="total").split("/"),
        body(at="2026-01-01T00:00:00Z", type="reset")), ENGINEER),
    "meter_events_void": (lambda w: (
        (lambda s, i: (*s.split("/"), i))(*w.event()), {}), ENGINEER),
    "rules_create": (lambda w: ((), {"json": w.rule_body()}), ENGINEER),
    "rules_change": (lambda w: ((w.rule(),), body(name="H")), ENGINEER),
    "rules_delete": (lambda w: ((w.rule(),), {}), ENGINEER),
    "holidays_put": (lambda w: ((), body(holidays=[{
        "date": "2026-12-25", "name": w.new()}])), ENGINEER),
    "models_promote": (lambda w: ((w.model(),), body(reason="x")), ENGINEER),
    "webhooks_create": (lambda w: ((), {"json": w.webhook_body()}), ADMIN),
    "webhooks_change": (lambda w: ((w.webhook(),), body(name="H")), ADMIN),
    "webhooks_delete": (lambda w: ((w.webhook(),), {}), ADMIN),
    "webhooks_secret": (lambda w: ((w.webhook(),), body()), ADMIN),
    "deliveries_again": (lambda w: (w.delivery(), {}), ADMIN),
    "revocations_create": (lambda w: ((), body(
        principal="idp:" + w.new(), reason="x")), ADMIN),
    "users_create": (lambda w: ((), body(
        username=w.new("u"), password=PASSWORD, role="viewer")), ADMIN),
    "users_change": (lambda w: ((w.user(),), body(role="operator")), ADMIN),
    "users_disable": (lambda w: ((w.user(),), {}), ADMIN),
    "users_password": (lambda w: ((w.user(),), body(
        password="marble oyster tundra")), ADMIN),
    "api_keys_create": (lambda w: ((), body(name=w.new())), ENGINEER),
    "api_keys_change": (lambda w: ((w.key(),), body(name="K")), ENGINEER),
    "api_keys_rotate": (lambda w: ((w.key(),), body()), ENGINEER),
    "api_keys_revoke": (lambda w: ((w.key(),), {}), ENGINEER),
}
# As whom the call itself says, so a test of its own.
OWN = {"token_create", "token_refresh", "logout", "logout_all",
       "own_password"}
# The members that are secret, of a body or of the one answer that shows it.
SECRETS = {"api_keys_create": "key", "api_keys_rotate": "key",
           "gateways_secret": "secret", "users_create": "password",
           "users_password": "password", "webhooks_create": "secret",
           "webhooks_secret": "secret"}
# Readings, and what is said of them: no rows, or only where something is
# found. And what changes nothing.
READINGS = {"readings_create", "imports_part_put", "consumption_check_keep",
            "rules_backtest"}


@pytest.fixture(scope="module")
def audited():
    """A service whose loop leaves made-up anomalies alone."""
    from support.service import Service
    s = Service(PENSTOCK_LOOP_PERIOD=60000)
    try:
        s.start()
        for role in ROLES:  # each logs in, once
            s.token(role)
        yield s
    finally:
        s.remove()


@pytest.fixture(scope="module")
def routes(audited):
    paths = audited.call("GET", "/openapi.json").json()["paths"]
    return {op["operationId"]: (method.upper(), path)
            for path, item in paths.items() for method, op in item.items()
            if method in ("get", "post", "put", "patch", "delete")}


class From(requests.adapters.HTTPAdapter):
    """Connections from one of the addresses of loopback."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=(self.address, 0),
                                 **more)


def newest(service):
    return service.sql("SELECT coalesce(max(id), 0) FROM audit")[0][0]


def rows_since(service, before):
    """Without the loop's, which come when they come: it seals dossiers."""
    return [r for r, in service.sql(
        "SELECT audit_json(a) FROM audit a WHERE id > %s"
        " AND actor <> 'loop' ORDER BY id", before)]


def perform(service, routes, name, words, role, more):
    """From an address of its own, since refusals are bounded by address."""
    method, path = routes[name]
    it = iter(words)
    path = re.sub(r"\{.*?\}", lambda m: str(next(it)), path)
    with service.session(role) as s:
        s.mount("https://", From(f"127.0.1.{1 + sorted(CALLS).index(name)}"))
        return s.request(method, service.url + path, timeout=20, **more)


def test_every_changing_route_is_walked(routes):
    changing = {n for n, (method, _) in routes.items() if method != "GET"}
    assert changing == CALLS.keys() | OWN | READINGS


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_change_and_a_refusal_are_one_row_each(audited, routes, name):
    make, role = CALLS[name]
    words, more = make(World(audited))
    before = newest(audited)
    answer = perform(audited, routes, name, words, "viewer", more)
    assert answer.status_code == 403, answer.text
    refused, = wait_for("the refusal", lambda: rows_since(audited, before), 5)
    assert (refused["actor"], refused["role"], refused["action"],
            refused["outcome"], refused["status"]) == (
        "viewer", "viewer", name, "refused", 403)

    before = newest(audited)
    answer = perform(audited, routes, name, words, role, more)
    assert answer.status_code < 300, answer.text
    row, = rows_since(audited, before)
    assert (row["actor"], row["role"], row["action"], row["outcome"]) == (
        role, role, name, "done")
    assert row["request_id"] == answer.headers["X-Request-Id"]
    assert row["address"].startswith("127.0.1.") and row["session"]
    assert row["changes"] and row["target"]
    for change in row["changes"]:
        assert (change["before"] is None) == (change["op"] == "insert")
        assert (change["after"] is None) == (change["op"] == "delete")
        assert change["before"] != change["after"]
    given = more.get("json", {})
    for member in given.keys() & {"code", "zone", "username"}:
        assert row["target"] == given[member]
    assert "node" not in given or given["node"] in row["nodes"]
    if name in SECRETS:
        shown = answer.json() if answer.content else {}
        secret = {**given, **shown}[SECRETS[name]]
        # Without what is put before it to tell what it is.
        assert secret[-16:] not in json.dumps([refused, row])


def test_sessions_are_told_by_the_name_of_their_user(audited):
    world = World(audited)
    name = world.user()

    def row_of(action, call):
        before = newest(audited)
        result = call()
        found = [r for r in rows_since(audited, before)
                 if r["outcome"] == "done"]
        assert [(r["actor"], r["action"]) for r in found] == [
            (name, action)], found
        return result

    def post(path, token=None, **members):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return audited.call("POST", path, json=members or None,
                            headers=headers)

    one = row_of("token_create", lambda: world.log_in(name))
    two = row_of("token_refresh", lambda: post(
        "/api/v1/auth/refresh",
        refresh_token=one["refresh_token"])).json()
    before = newest(audited)
    assert post("/api/v1/auth/refresh",
                refresh_token=one["refresh_token"]).status_code == 401
    both = wait_for("both rows", lambda: len(
        rows_since(audited, before)) == 2 and rows_since(audited, before), 5)
    ended, refused = sorted(both, key=lambda r: r["outcome"])
    assert (ended["outcome"], ended["actor"]) == ("done", "anonymous")
    assert ended["changes"][0]["after"]["revoked_why"] == \
        "refresh token reused"
    assert (refused["outcome"], refused["status"]) == ("refused", 401)
    assert two["refresh_token"] not in json.dumps(both)
    for path, action in (("/api/v1/auth/logout", "logout"),
                         ("/api/v1/auth/logout-all", "logout_all")):
        token = world.log_in(name)["access_token"]
        row_of(action, lambda: post(path, token))
    token = world.log_in(name)["access_token"]
    row_of("own_password", lambda: audited.call(
        "PUT", "/api/v1/auth/password", json={
            "old_password": PASSWORD, "new_password": "marble oyster tundra"},
        headers={"Authorization": f"Bearer {token}"}))


def test_failed_log_ins_and_bad_tokens(audited):
    world = World(audited)
    name = world.user()
    before = newest(audited)
    for who in (name, "hunter2"):
        assert audited.call("POST", "/api/v1/auth/token", json={
            "username": who, "password": "wrong wrong wrong"}
            ).status_code == 401
    assert audited.call("GET", "/api/v1/nodes", headers={
        "Authorization": "Bearer x.y.z"}).status_code == 401
    assert audited.call("GET", "/api/v1/nodes").status_code == 401
    rows = wait_for("three rows", lambda: len(
        rows_since(audited, before)) >= 3 and rows_since(audited, before), 5)
    assert {(r["actor"], r["action"], r["status"]) for r in rows} == {
        (name, "token_create", 401), ("anonymous", "token_create", 401),
        ("anonymous", "nodes_list", 401)} and len(rows) == 3
    assert "hunter2" not in json.dumps(rows)


def test_readings_leave_no_rows(audited):
    audited.make_series("AUD-R", "level")
    before = newest(audited)
    answer = audited.session().post(
        audited.url + "/api/v1/readings", timeout=10,
        headers={"Authorization": f"Bearer {audited.device_key}"},
        json={"node": "AUD-R", "metric": "level",
              "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
              "value": 1})
    assert answer.status_code < 300, answer.text
    assert rows_since(audited, before) == []


def test_pages_and_filters(audited):
    world = World(audited)
    node = world.node()
    for i in range(4):
        world.ok("PATCH", f"/api/v1/nodes/{node}", ENGINEER,
                 json={"name": f"n{i}"})

    def get(**params):
        answer = audited.call("GET", "/api/v1/audit", ADMIN, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    items, cursor = [], None
    while True:
        page = get(node=node, limit=2, **({"cursor": cursor} if cursor
                                          else {}))
        items += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    assert [i["action"] for i in items] == ["nodes_change"] * 4 + [
        "nodes_create"]
    assert all(node in i["nodes"] for i in items)
    third = items[2]
    assert get(node=node, to=third["at"])["items"] == items[3:]
    assert get(node=node, **{"from": third["at"]})["items"] == items[:3]
    assert get(node=node, action="nodes_create")["items"] == items[4:]
    assert get(node=node, actor="nobody")["items"] == []
    assert get(node=node, outcome="refused")["items"] == []
    for role in ("viewer", "operator", "engineer"):
        assert audited.call("GET", "/api/v1/audit",
                            role).status_code == 403
    assert audited.call("GET", "/api/v1/audit", ADMIN, headers={
        "Accept": "image/png"}).status_code == 406


def test_an_export_is_enough_to_compute_the_chain(audited):
    world = World(audited)
    for _ in range(60):  # more than a piece
        world.node()
    answer = audited.call("GET", "/api/v1/audit", ADMIN,
                          headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][0] == "id" and rows[0][-1] == "hash"
    assert [int(r[0]) for r in rows[1:]] == list(range(1, len(rows)))
    before = bytes(32)
    for *content, prev, digest in rows[1:]:
        assert prev == before.hex()
        before = hashlib.sha256(before + b"".join(
            b"%d:%s," % (len(w.encode()), w.encode())
            for w in content)).digest()
        assert digest == before.hex()
    lines = audited.call("GET", "/api/v1/audit", ADMIN, headers={
        "Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(one)["hash"] for one in lines][:len(rows) - 1] == [
        r[-1] for r in rows[1:]]


def test_verify_audit_holds_the_log_against_the_database(audited, tmp_path):
    World(audited).node()
    last = newest(audited)
    wait_for("the log's line", lambda: f'"id":{last},' in audited.log(), 5)
    log = tmp_path / "kore.log"
    log.write_text(audited.log())
    command = [ROOT / "scripts/verify-audit"]
    command += ["--log", log, "--anchor", tmp_path / "anchor"]
    for run in range(2):
        done = subprocess.run(command, env=audited.env, text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "breaches 0" in done.stdout
    assert (tmp_path / "anchor").read_text().count("\n") == 2
