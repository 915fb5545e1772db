"""Users, their zones, the throttle of passwords, and device keys, over HTTPS.
What each of them refuses is tested in tests/sql/test_account_rules.py."""

import datetime
import concurrent.futures
import json
import secrets
import time

import pytest
import requests.adapters

from support.instance import Instance
from support.service import wait_for

GOOD = "brevity chalk lantern"
OTHER = "marble oyster tundra"


class From(requests.adapters.HTTPAdapter):
    """Connections from one of the addresses of loopback."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=(self.address, 0),
                                 **more)


def log_in(service, name, password, address="127.0.0.1", url=None):
    with service.session() as s:
        s.mount("https://", From(address))
        return s.post((url or service.url) + "/api/v1/auth/token", timeout=20,
                      json={"username": name, "password": password})


def make_user(service, role="operator", **more):
    name = "u" + secrets.token_hex(4)
    answer = service.call("POST", "/api/v1/users", "admin", json={
        "username": name, "password": GOOD, "role": role, **more})
    assert answer.status_code == 201, answer.text
    return name


def token_of(service, name, password=GOOD):
    answer = log_in(service, name, password)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def by(token):
    return {"Authorization": f"Bearer {token}"}


def test_life_of_a_user(service):
    service.make_series("ACC-Z", "level", zone="ACC-NORTH")
    name = make_user(service, zones=["ACC-NORTH"])
    path = f"/api/v1/users/{name}"
    read = service.call("GET", path, "admin")
    assert read.json()["zones"] == ["ACC-NORTH"]
    assert read.json()["last_login_at"] is None
    assert service.call("GET", path, "engineer").status_code == 403
    token_of(service, name)
    again = service.call("GET", path, "admin")
    assert again.json()["last_login_at"]
    assert again.headers["ETag"] == read.headers["ETag"]
    changed = service.call("PATCH", path, "admin", json={"role": "viewer"},
                           headers={"If-Match": read.headers["ETag"]})
    assert (changed.json()["role"], changed.json()["zones"]) == (
        "viewer", None)
    assert service.call("PATCH", path, "admin", json={"zones": ["ACC-NORTH"]},
                        headers={"If-Match": read.headers["ETag"]}
                        ).status_code == 412
    assert service.call("DELETE", path, "admin").status_code == 204
    assert log_in(service, name, GOOD).status_code == 401
    assert service.call("GET", path, "admin").json()["disabled_at"]
    back = service.call("PATCH", path, "admin", json={"disabled": False})
    assert back.json()["disabled_at"] is None
    assert log_in(service, name, GOOD).status_code == 200


def test_passwords_are_changed_by_their_owner_and_by_admins(service):
    name = make_user(service, "viewer")

    def change(old, new):
        return service.call("PUT", "/api/v1/auth/password", headers=by(
            token_of(service, name, change.now)), json={
                "old_password": old, "new_password": new})

    change.now = GOOD
    answer = change("not this one", OTHER)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/old_password"
    answer = change(GOOD, f"{name} chalk")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/new_password"
    assert change(GOOD, OTHER).status_code == 204
    assert log_in(service, name, GOOD).status_code == 401
    change.now = OTHER
    path = f"/api/v1/users/{name}/password"
    body = {"password": "Password2024!"}
    answer = service.call("PUT", path, "admin", json=body)
    assert answer.status_code == 422 and "2024" not in answer.text
    body["password"] = "x" * 128 + "brevity chalk lantern"
    assert service.call("PUT", path, "admin", json=body).status_code == 204
    assert log_in(service, name, body["password"]).status_code == 200
    assert service.call("PUT", "/api/v1/users/no-such-user/password", "admin",
                        json=body).status_code == 404
    assert body["password"] not in service.log()


@pytest.mark.parametrize("known", [True, False])
def test_guessing_is_slowed_for_all_workers_together(service, known):
    name = make_user(service, "viewer") if known else secrets.token_hex(4)
    place = f"127.0.{1 + known}.{secrets.randbelow(250) + 1}"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(
            lambda i: log_in(service, name, f"wrong {i}", place), range(16)))
    codes = sorted(a.status_code for a in answers)
    assert codes.count(401) == 5 and codes.count(429) == 11, codes
    for a in answers:
        assert a.headers["Content-Type"] == "application/problem+json"
        if a.status_code == 429:
            assert 1 <= int(a.headers["Retry-After"]) <= 60
    # The right one has to wait, too; elsewhere nobody is locked out.
    assert log_in(service, name, GOOD, place).status_code == 429
    elsewhere = log_in(service, name, GOOD, "127.0.3.1")
    assert elsewhere.status_code == (200 if known else 401)
    text = service.call("GET", "/metrics").text
    assert 'penstock_logins_total{result="held"}' in text


def test_guessing_is_slowed_for_all_instances_together(service):
    name, place = make_user(service, "viewer"), "127.0.4.1"
    other = Instance(service, name="kore-accounts").start()
    try:
        codes = [log_in(service, name, "wrong", place, url).status_code
                 for _ in range(4) for url in (service.url, other.url)]
        assert codes == [401] * 5 + [429] * 3
        assert log_in(service, name, GOOD, "127.0.4.2",
                      other.url).status_code == 200
    finally:
        other.stop()


# One call for each change that operators may make, in the zone of a node.
ACTS = {
    "anomalies_ack": lambda at: (
        "POST", f"/api/v1/anomalies/{at['anomaly']}/ack", {}),
    "anomalies_assign": lambda at: (
        "POST", f"/api/v1/anomalies/{at['anomaly']}/assign", {"to": None}),
    "anomalies_comment": lambda at: (
        "POST", f"/api/v1/anomalies/{at['anomaly']}/comment", {"text": "x"}),
    "anomalies_resolve": lambda at: (
        "POST", f"/api/v1/anomalies/{at['latched']}/resolve", {}),
    "anomalies_shelve": lambda at: (
        "POST", f"/api/v1/anomalies/{at['anomaly']}/shelve",
        {"for_s": 600, "reason": "x"}),
    "anomalies_unshelve": lambda at: (
        "POST", f"/api/v1/anomalies/{at['anomaly']}/unshelve", {}),
    "commands_redrive": lambda at: (
        "POST", f"/api/v1/commands/{at['failed']}/redrive", {"reason": "x"}),
    "commands_settle": lambda at: (
        "POST", f"/api/v1/commands/{at['unknown']}/settle",
        {"outcome": "not_executed", "reason": "x"}),
    "hands_off_release": lambda at: (
        "POST", "/api/v1/hands-off/release", {**at["place"], "reason": "x"}),
    "hands_off_set": lambda at: (
        "POST", "/api/v1/hands-off", {**at["place"], "reason": "x"}),
    "holds_end": lambda at: (
        "POST", f"/api/v1/alarm-holds/{at['hold']}/end", None),
    "link_lock": lambda at: (
        "POST", f"/api/v1/links/{at['link']}/lock", {"reason": "x"}),
    "link_unlock": lambda at: (
        "POST", f"/api/v1/links/{at['link']}/unlock", {"reason": "x"}),
    "maintenance_create": lambda at: (
        "POST", "/api/v1/maintenance-windows",
        {"node": at["node"], "reason": "x", "to": (
            datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(hours=1)).isoformat()}),
    "plans_approve": lambda at: (
        "POST", f"/api/v1/plans/{at['plans'][0]}/approve", {}),
    "plans_cancel": lambda at: (
        "POST", f"/api/v1/plans/{at['approved']}/cancel", {"reason": "x"}),
    "plans_undo": lambda at: (
        "POST", f"/api/v1/plans/{at['stopped']}/undo", {"reason": "x"}),
    "plans_reject": lambda at: (
        "POST", f"/api/v1/plans/{at['plans'][1]}/reject", {"reason": "x"}),
    "consumption_check_keep": lambda at: (
        "POST", "/api/v1/consumption/check?bucket=1d&from=2025-01-01T00:00:00Z"
        f"&to=2025-01-03T00:00:00Z&node={at['node']}", None),
}
# These touch nothing but who calls them.
OWN = {"own_password", "logout", "logout_all"}


@pytest.fixture(scope="module")
def zones(service):
    """What people decide on in each of two zones and in none."""
    for path, body in (
            ("plan-templates", {
                "code": "ACC-T", "name": "x", "metric": "flow",
                "least_severity": "warning", "effect_window_s": 60,
                "enabled": False, "actions": [
                    {"step": 1, "action": "close_valve",
                     "target_type": "valve", "target_relation": "zone"}],
                "undo": [
                    {"step": 1, "action": "open_valve",
                     "target_type": "valve", "target_relation": "zone"}]}),
            ("gateways", {"code": "ACC-G", "url": "http://127.0.0.1:9"}),
            ("nodes", {"code": "ACC-INLET", "type": "junction"})):
        made = service.call("POST", f"/api/v1/{path}", "admin", json=body)
        assert made.status_code == 201, made.text
    yield {zone: happening(service, zone)
           for zone in ("ACC-NORTH", "ACC-SOUTH", None)}
    # Everywhere is among them: commands of other tests leave again.
    service.sql("UPDATE hands_off SET released_by = 'x', released_at = now(),"
                " release_reason = 'x' WHERE released_at IS NULL")


def happening(service, zone):
    node = f"ACC-{zone or 'FREE'}-1"
    made = service.call("POST", "/api/v1/nodes", "engineer", json={
        "code": node, "type": "meter", **({"zone": zone} if zone else {}),
        "series": [{"metric": "flow"}, {"metric": "volume"}]})
    assert made.status_code == 201, made.text
    anomaly = service.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version)"
        " SELECT s.id, 'rate', 'high', 'info', 'open', 'r', '2025-01-01',"
        " '2025-01-01', '{}', 1 FROM series s JOIN nodes n ON n.id ="
        " s.node_id WHERE n.code = %s AND s.metric_id = 1 RETURNING id",
        node)[0][0]
    latched = service.sql(
        "INSERT INTO anomalies (series_id, type, direction, severity, state,"
        " rule_id, first_at, last_at, evidence, knowledge_version,"
        " alarm_state) SELECT series_id, 'outlier', direction, severity,"
        " 'cleared', rule_id, first_at, last_at, evidence, 1, 'latched'"
        " FROM anomalies WHERE id = %s RETURNING id", anomaly)[0][0]
    hold = service.sql(
        "INSERT INTO alarm_holds (kind, node_id, from_at, reason, created_by)"
        " SELECT 'maintenance', id, '2999-01-01', 'x', 'x' FROM nodes"
        " WHERE code = %s RETURNING id", node)[0][0]
    link, other = f"{node}-V", f"{node}-U"
    for code in (link, other):
        made = service.call("POST", "/api/v1/links", "engineer", json={
            "code": code, "type": "valve", "from_node": "ACC-INLET",
            "to_node": node, "gateway": "ACC-G"})
        assert made.status_code == 201, made.text
    moved = make_command(service, anomaly, other, "executed")
    stopped = service.sql("UPDATE plans SET state = 'cancelled' WHERE id ="
                          " (SELECT plan_id FROM commands WHERE id = %s)"
                          " RETURNING id", moved)[0][0]
    # By their names, release is called before set.
    service.sql("INSERT INTO hands_off (zone_id, set_by, set_at, reason)"
                " SELECT zone_id, 'x', now(), 'x' FROM nodes WHERE code = %s",
                node)
    return {"node": node, "anomaly": anomaly, "latched": latched,
            "hold": hold, "link": link,
            "place": {"zone": zone} if zone else {}, "stopped": stopped,
            "approved": make_plan(service, anomaly, "approved"),
            "plans": [make_plan(service, anomaly, "proposed")
                      for _ in range(2)],
            **{state: make_command(service, anomaly, link, state)
               for state in ("failed", "unknown")}}


def make_plan(service, anomaly, state):
    return service.sql(
        "INSERT INTO plans (anomaly_id, template_id, state, proposed_at,"
        " expires_at, effect_direction, effect_least, effect_window_s,"
        " command_life_s, reasons, knowledge_version, closed_at) SELECT %s,"
        " id, s, now(), now() + interval '1 h', 'none', 0, 60, 60, '{}', 1,"
        " CASE s WHEN 'failed' THEN now() END FROM plan_templates,"
        " (SELECT %s AS s) w WHERE code = 'ACC-T' RETURNING id",
        anomaly, state)[0][0]


def make_command(service, anomaly, link, state):
    """A dead letter, the only command of its plan."""
    return service.sql(
        "INSERT INTO commands (plan_id, step, state, link_id, gateway_id,"
        " action, argument, key, dead_at) SELECT %s, 1, %s, id, gateway_id,"
        " 'close_valve', '{}', gen_random_uuid(), now() FROM links"
        " WHERE code = %s RETURNING id",
        make_plan(service, anomaly, "failed"), state, link)[0][0]


def changes_of_operators(service):
    document = service.call("GET", "/openapi.json").json()
    return {op["operationId"] for item in document["paths"].values()
            for method, op in item.items() if method != "get"
            and "operator" in op["x-roles"]
            and "anonymous" not in op["x-roles"]}


def test_each_change_of_operators_minds_their_zones(service, zones):
    """A route that is new here must be in ACTS, or be about oneself."""
    bound = by(token_of(service, make_user(service, zones=["ACC-NORTH"])))
    nowhere = by(token_of(service, make_user(service, zones=[])))
    free = by(token_of(service, make_user(service)))
    operations = changes_of_operators(service)
    assert set(ACTS) <= operations
    for name in sorted(operations - OWN):
        assert name in ACTS, f"say how {name} minds the zones of operators"

        def act(zone, who):
            method, path, body = ACTS[name](zones[zone])
            return service.call(method, path, headers=who, json=body)

        for who, where in ((bound, "ACC-SOUTH"), (bound, None),
                           (nowhere, "ACC-NORTH"), (nowhere, None)):
            answer = act(where, who)
            assert answer.status_code == 403, (name, where, answer.text)
            assert "zones of" in answer.json()["detail"]
        for who, where in (bound, "ACC-NORTH"), (free, "ACC-SOUTH"), (
                free, None):
            answer = act(where, who)
            assert answer.status_code in (200, 201), (
                name, where, answer.text)
    # All of it is read by whoever may read.
    assert service.call("GET", "/api/v1/nodes/ACC-ACC-SOUTH-1/latest",
                        headers=nowhere).status_code == 200


def make_key(service, **scope):
    answer = service.call("POST", "/api/v1/api-keys", "engineer",
                          json={"name": "logger", **scope})
    assert answer.status_code == 201, answer.text
    return answer.json()


def send(service, key, *nodes):
    """Status and, of each item, what became of it."""
    ts = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(time.time() - 120))
    answer = service.call(
        "POST", "/api/v1/readings", headers=by(key["key"]),
        json={"readings": [
            {"node": node, "metric": "level", "value": 1,
             "ts": f"{ts}{secrets.randbelow(10**6) / 10**6 + 10:09.6f}Z"}
            for node in nodes]})
    if answer.status_code != 200:
        return answer.status_code
    said = ["ok"] * len(nodes)
    for item in answer.json().get("items", []):
        said[item["index"]] = item.get("reason", item["status"])
    return said


def test_a_key_sends_within_its_scope(service):
    service.make_series("KEY-A", "level", zone="KEY-N")
    service.make_series("KEY-B", "level", zone="KEY-S")
    nodes = make_key(service, nodes=["KEY-A"])
    zone = make_key(service, zones=["KEY-S"])
    both = ("KEY-A", "KEY-B")
    assert send(service, nodes, *both) == ["ok", "not_in_scope"]
    assert send(service, zone, *both) == ["not_in_scope", "ok"]
    assert send(service, make_key(service), *both) == ["ok", "ok"]
    alone = service.call("POST", "/api/v1/readings", headers=by(zone["key"]),
                         json={"node": "KEY-A", "metric": "level", "value": 1,
                               "ts": "2025-01-01T00:00:00Z"})
    assert alone.status_code == 422
    assert alone.json()["reason"] == "not_in_scope"
    # Within a second every worker knows of a change.
    service.call("PATCH", f"/api/v1/api-keys/{nodes['id']}", "engineer",
                 json={"nodes": ["KEY-B"]})
    service.call("PATCH", "/api/v1/nodes/KEY-B", "engineer",
                 json={"zone": "KEY-N"})
    time.sleep(1)
    for _ in range(8):
        assert send(service, nodes, *both) == ["not_in_scope", "ok"]
        assert send(service, zone, *both) == ["not_in_scope"] * 2


def test_a_key_is_rotated_and_expires(service):
    service.make_series("KEY-R", "level")
    old = make_key(service, nodes=["KEY-R"])
    path = f"/api/v1/api-keys/{old['id']}"
    new = service.call("POST", path + "/rotate", "engineer",
                       json={"overlap_s": 3}).json()
    assert new["replaces"] == old["id"] and new["nodes"] == ["KEY-R"]
    assert send(service, old, "KEY-R") == send(service, new, "KEY-R") == ["ok"]
    wait_for("the old one is over", lambda: send(
        service, old, "KEY-R") == 401, 10)
    assert send(service, new, "KEY-R") == ["ok"]
    assert service.call("POST", path + "/rotate", "engineer",
                        json={}).status_code == 409
    twice = service.call("POST", path + "/rotate", "engineer", json={},
                         headers={"Idempotency-Key": "k"})
    assert twice.status_code == 422
    used = wait_for("its use is told", lambda: service.call(
        "GET", f"/api/v1/api-keys/{new['id']}", "engineer"
        ).json()["last_used_at"], 15)
    assert used[:10] == time.strftime("%Y-%m-%d", time.gmtime())
    service.call("DELETE", f"/api/v1/api-keys/{new['id']}", "engineer")
    wait_for("it is revoked", lambda: send(service, new, "KEY-R") == 401, 3)
    listed = json.dumps(service.call("GET", "/api/v1/api-keys?limit=1000",
                                     "engineer").json())
    assert new["id"] in listed and new["key"] not in listed
