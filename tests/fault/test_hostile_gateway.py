"""Approved plans whose field gateway is slow, silent, broken, forgetful or
repeats itself, by HTTP and by MQTT: each ends in the state that is true, and no
gateway acts twice on one idempotency key."""

import datetime

import pytest

from support.broker import Broker, certificate, password_file
from support.gateway import Gateway
from support.mqtt_gateway import MqttGateway
from support.service import Service, wait_for

UTC = datetime.timezone.utc
TIMEOUT_MS = 500
LIFE_S = 9  # of a command, after its approval
ASK_S = 4  # after that
WINDOW_S = 8  # of the effect; a slow machine must find readings on both sides

#        how the gateway is started, and what has to come of it: the plan's
#        and the command's state, how often it acts, and how often it is told
CASES = {
    "ok": (("ok",), "worked", "verified", 1, 1),
    "slow": (("slow", "--slow-ms", "200"), "worked", "verified", 1, 1),
    # It acts and its answer never comes in time: it is asked.
    "too-slow": (("slow", "--slow-ms", "1500"), "worked", "verified", 1, 1),
    # It may have acted: nobody may say that it did, or that it did not.
    "silent": (("silent",), "failed", "unknown", 0, 1),
    "lies": (("lies",), "failed", "unknown", 1, 1),
    # Asked, it says that nothing was done: it is told again, in time.
    "500": (("500",), "failed", "expired", 0, None),
    "redirect": (("redirect",), "failed", "expired", 0, None),
    "drop-after-accept": (("drop-after-accept",), "worked", "verified", 1, 1),
    "twice": (("twice",), "worked", "verified", 1, 1),
    "accepts": (("accepts",), "worked", "verified", 1, 1),
    "half": (("half",), "worked", "verified", 1, 1),
    "huge": (("huge",), "worked", "verified", 1, 1),
}
# By MQTT the same, but for redirects, and what a broker adds.
BY_MQTT = {f"mqtt-{name}": case for name, case in CASES.items()
           if name != "redirect"} | {
    "mqtt-too-slow": (("too-slow",), "worked", "verified", 1, 1),
    "mqtt-garbage": (("garbage",), "worked", "verified", 1, 1),
    "mqtt-crossed": (("crossed",), "worked", "verified", 1, 1),
    # It acts; that answers are its own cannot be told.
    "mqtt-forged": (("forged",), "failed", "unknown", 1, 1),
    # By TLS, to a broker that asks who we are.
    "mqtts": (("ok",), "worked", "verified", 1, 1),
}
CASES |= BY_MQTT
FINAL = ("worked", "no_effect", "worse", "not_provable", "failed", "expired")


def create(service, path, **body):
    answer = service.call("POST", "/api/v1/" + path, "admin", json=body)
    assert answer.status_code == 201, answer.text


def get(service, path, **params):
    answer = service.call("GET", "/api/v1/" + path, "viewer", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(service, name, value, *seconds_ago):
    now = datetime.datetime.now(UTC)
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "readings": [{"node": f"M-{name}", "metric": "flow", "value": value,
                      "ts": (now - datetime.timedelta(seconds=s)).isoformat()}
                     for s in seconds_ago]})
    assert answer.json()["accepted"] == len(seconds_ago), answer.text


def make_network(service, gateways):
    create(service, "plan-templates", code="CLOSE", name="close",
           metric="flow", anomaly_type="threshold", direction="high",
           least_severity="critical", effect_metric="flow",
           effect_direction="low", effect_least=1, effect_window_s=WINDOW_S,
           command_life_s=LIFE_S, actions=[
               {"step": 1, "action": "close_valve", "target_type": "valve",
                "target_relation": "inlet"}])
    # However late a command leaves, what was since the burst counts.
    answer = service.call(
        "PUT", "/api/v1/plan-templates/CLOSE/verification", "engineer",
        json={"before_s": 120}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    for name, gateway in gateways.items():
        create(service, "gateways", code=f"G-{name}", name=name,
               url=gateway.url)
        service.make_series(f"S-{name}", "flow")
        service.make_series(f"M-{name}", "flow", type="meter")
        create(service, "links", code=f"V-{name}", type="valve",
               from_node=f"S-{name}", to_node=f"M-{name}",
               gateway=f"G-{name}")
        answer = service.call(
            "PUT", f"/api/v1/series/M-{name}/flow/thresholds", "engineer",
            json={"thresholds": [
                {"direction": "high", "severity": "critical", "set_level": 50,
                 "clear_level": 40, "on_delay_s": 0, "off_delay_s": 0}]})
        assert answer.status_code == 200, answer.text


def plan_of(service, name, state=None):
    return next((p for p in get(service, "plans", limit=500)["items"]
                 if p["node"] == f"M-{name}"
                 and state in (None, p["state"])), None)


def approve(service, name):
    plan = wait_for(f"a plan for {name}",
                    lambda: plan_of(service, name, "proposed"))
    # More of the burst, before the approval.
    post(service, name, 90, 2.5, 2, 1.5, 1, 0.5)
    answer = service.call("POST", f"/api/v1/plans/{plan['id']}/approve",
                          "operator", json={})
    assert answer.status_code == 200, answer.text
    return plan["id"]


def follow(service, plans):
    """The plans at their end; where the valve was closed the flow falls."""
    def look():
        found = {n: get(service, f"plans/{i}") for n, i in plans.items()}
        for name, plan in found.items():
            if plan["state"] == "verifying":
                post(service, name, 10, 0)
        return found if all(
            p["state"] in FINAL for p in found.values()) else None
    return wait_for("the end of every plan", look, 60, 0.4)


@pytest.fixture(scope="module")
def ended():
    """All cases side by side in one service: the plans and what the gateways
    counted, by case."""
    service = Service(PENSTOCK_LOOP_PERIOD=500,
                      PENSTOCK_GATEWAY_TIMEOUT=TIMEOUT_MS,
                      PENSTOCK_GATEWAY_ASK=ASK_S)
    gateways = {}
    files = certificate(service.folder, "good")
    files[0].chmod(0o644)
    words = password_file(service.folder, "penstock", "secret")
    service.env.update(PENSTOCK_GATEWAY_CA=str(files[0]),
                       PENSTOCK_GATEWAY_BROKER="127.0.0.1",
                       PENSTOCK_GATEWAY_BROKER_USER="penstock",
                       PENSTOCK_GATEWAY_BROKER_PASSWORD="secret")
    brokers = {"mqtt": Broker(), "mqtts": Broker(
        f"password_file {words}", certificate=files)}
    secured = {"ca": files[0], "login": ("penstock", "secret")}
    try:
        service.start()
        for name, (arguments, *_) in CASES.items():
            secret = service.gateway_secret(f"G-{name}")
            gateways[name] = MqttGateway(
                brokers[name.partition("-")[0]], f"G-{name}", arguments[0],
                secret, **(secured if name == "mqtts" else {})
            ) if name in BY_MQTT else Gateway(*arguments, secret=secret)
        make_network(service, gateways)
        for name in CASES:
            post(service, name, 90, 5, 4)
        plans = {name: approve(service, name) for name in CASES}
        ends = follow(service, plans)
        again = {name: wait_for(f"another proposal for {name}", lambda: plan_of(
            service, name, "proposed")) for name in CASES
            if ends[name]["state"] == "failed"}
        yield {name: (ends[name], gateways[name].stop()[0], again.get(name))
               for name in CASES}
    finally:
        for g in gateways.values():
            g.kill()
        for b in brokers.values():
            b.remove()
        service.remove()


@pytest.mark.parametrize("name", CASES)
def test_ends_as_it_truly_did(ended, name):
    _, plan_state, command_state, executions, requests = CASES[name]
    plan, log, _ = ended[name]
    command, = plan["commands"]
    assert plan["state"] == plan_state, plan
    assert command["state"] == command_state
    assert {e["key"] for e in log} == {command["key"]}
    assert log[-1]["executions"] == executions
    assert command["attempts"] == len(log)
    dead = command["state"] not in ("executed", "verified")
    assert (command["dead_at"] is not None) == dead
    if requests is None:
        assert len(log) >= 2, "it was tried again"
        assert all(e["at"] <= command["not_after"] for e in log)
    else:
        assert len(log) == requests


@pytest.mark.parametrize("name", CASES)
def test_what_failed_is_proposed_again(ended, name):
    plan, _, again = ended[name]
    assert (again is not None) == (plan["state"] == "failed")
    if again is not None:
        assert again["anomaly"] == plan["anomaly"]["id"]


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_told(ended, name):
    """The transitions lead from the proposal to the end without a gap."""
    plan, _, _ = ended[name]
    for rows, end in ((plan["transitions"], plan["state"]),
                      (plan["command_transitions"],
                       plan["commands"][0]["state"])):
        for before, after in zip(rows, rows[1:]):
            assert after["from"] == before["to"]
            assert after["row"] and after["facts"] is not None
        assert rows[-1]["to"] == end
