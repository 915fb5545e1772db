"""What the processes of a running service may do, and what they keep to
themselves: core files, privileges, memory, the log."""

import base64
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess

import pytest

from support.service import ROOT, free_port, wait_for

BUILD = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in
            (line.partition(":") for line in lines)}


def core_limit(pid):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return [line.split()[-3:-1] for line in text.splitlines()
            if line.startswith("Max core file size")][0]


def parts(service):
    """Pids: Kore's parent, its workers and key manager, and the archive's."""
    parent = service.pid("kore")
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children")
    return {"parent": [parent], "workers": service.workers(),
            "children": [int(p) for p in children.read_text().split()],
            "archive": [service.pid("archive")]}


def test_no_core_and_no_new_privileges(service):
    found = parts(service)
    assert len(found["workers"]) == 2
    assert set(found["workers"]) <= set(found["children"])
    for pid in sum(found.values(), []):
        assert status(pid)["NoNewPrivs"] == "1", status(pid)["Name"]
        assert core_limit(pid) == ["0", "0"], status(pid)["Name"]
    for pid in found["workers"]:
        assert status(pid)["Seccomp"] == "2"


def test_a_forbidden_system_call_is_in_the_log(own_service):
    """How the worker ends then; tests of the edge make such calls."""
    service = own_service()
    service.start()
    worker = service.workers()[0]
    service.violations = 1
    os.kill(worker, signal.SIGSYS)
    wait_for("its end in the log",
             lambda: "died from sandbox violation" in service.log())
    wait_for("another", lambda: len(service.workers()) == 2
             and worker not in service.workers())
    wait_for("it", service.ready)


def test_nobody_else_reads_the_memory(service):
    """Undumpable: what is in /proc/PID is root's, and the same user may not
    trace it (proc(5), ptrace(2))."""
    for pid in sum(parts(service).values(), []):
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    if os.getuid() != 0:
        pytest.skip("becoming the service's user needs root")
    owner = os.stat(service.state / "secrets").st_uid
    for pid in sum(parts(service).values(), []):
        for name in ("environ", "maps", "mem"):
            done = subprocess.run(
                ["setpriv", f"--reuid={owner}", f"--regid={owner}",
                 "--clear-groups", "--inh-caps=-all",
                 "head", "-c1", f"/proc/{pid}/{name}"], capture_output=True)
            assert done.returncode != 0 and b"denied" in done.stderr, name


def test_the_service_has_no_capabilities(service):
    if os.getuid() != 0:
        pytest.skip("started without privileges anyway")
    for pid in sum(parts(service).values(), []):
        have = status(pid)
        assert have["Uid"].split()[0] != "0"
        assert {have[c] for c in ("CapPrm", "CapEff", "CapInh", "CapAmb")} \
            == {"0" * 16}


class Secrets:
    """What must not be read anywhere but where it was handed out."""

    def __init__(self):
        self.all = {}

    def keep(self, name, text):
        assert len(text) >= 12, name
        self.all[name] = text
        return text

    def found(self, text):
        return [name for name, secret in self.all.items()
                if secret in text or base64_of(secret) in text]


def base64_of(text):
    return base64.b64encode(text.encode()).decode().rstrip("=")


def walk_accounts(service, kept):
    """Everything that takes or gives a secret, and wrong ones of each."""
    admin = kept.keep("an admin's token", service.token("admin"))

    def call(method, path, token=admin, json=None, **more):
        head = {"Authorization": f"Bearer {token}"} if token else {}
        return service.call(method, path, json=json, headers=head, **more)

    password = kept.keep("a password", secrets.token_urlsafe(24))
    user = "w" + secrets.token_hex(6)
    assert call("POST", "/api/v1/users", json={
        "username": user, "password": password,
        "role": "viewer"}).status_code == 201
    wrong = kept.keep("a wrong password", secrets.token_urlsafe(24))
    for name in (user, kept.keep("a password as the user's name",
                                 "p" + secrets.token_hex(16))):
        assert call("POST", "/api/v1/auth/token", None, {
            "username": name, "password": wrong}).status_code == 401
    given = call("POST", "/api/v1/auth/token", None, {
        "username": user, "password": password}).json()
    kept.keep("an access token", given["access_token"])
    kept.keep("a refresh token", given["refresh_token"])
    again = call("POST", "/api/v1/auth/refresh", None, {
        "refresh_token": given["refresh_token"]}).json()
    kept.keep("the next access token", again["access_token"])
    kept.keep("the next refresh token", again["refresh_token"])
    assert call("POST", "/api/v1/auth/refresh", None, {
        "refresh_token": given["refresh_token"]}).status_code == 401
    fresh = kept.keep("a new password", secrets.token_urlsafe(24))
    changed = call("PUT", f"/api/v1/users/{user}/password",
                   json={"password": fresh})
    assert changed.status_code < 300, changed.text
    key = call("POST", "/api/v1/api-keys", json={"name": user}).json()
    kept.keep("a device key", key["key"])
    turned = call("POST", f"/api/v1/api-keys/{key['id']}/rotate", json={})
    kept.keep("a rotated key", turned.json()["key"])
    return user, call


def walk_refusals(kept, user, call):
    """Secrets where they do not belong: a client's mistake is not told on."""
    for name in ("an access token", "a device key", "a refresh token"):
        text = kept.all[name]
        spoilt = kept.keep(f"{name}, spoilt", text[:-4] + "AAAA")
        call("GET", "/api/v1/auth/me", spoilt)
        call("GET", f"/api/v1/nodes?access_token={text}")
        call("GET", f"/{text}", None)
        call("POST", "/api/v1/auth/token", None, {"password": text})
        call("POST", "/api/v1/auth/token", None, {text: text})
        call("POST", "/api/v1/readings", text, {"node": "NONE",
             "metric": "flow", "ts": "2024-05-01T00:00:00Z", "value": 1})
    password = kept.all["a password"]
    for body in (f'{{"username": "{user}", "password": "{password}"',
                 f'{{"username": "{user}", "password": ["{password}"]}}',
                 f'{{"username": 5, "password": "{password}"}}'):
        call("POST", "/api/v1/auth/token", None, data=body)
        call("POST", "/api/v1/users", data=body)
    call("POST", "/api/v1/users", json={
        "username": user, "password": password, "role": "viewer"})
    call("PUT", f"/api/v1/users/{user}/password", json={
        "password": kept.keep("a password with the name", user + user)})


def walk_routes(service, kept):
    """Every path of the contract once, as an admin."""
    document = service.call("GET", "/openapi.json").json()
    admin = {"Authorization": "Bearer " + kept.all["an admin's token"]}
    asked = 0
    for path, methods in document["paths"].items():
        for method in set(methods) & {"get", "put", "patch", "post"}:
            if "logout" in path or "loop/" in path:
                continue
            service.call(method, path.replace("{", "").replace("}", ""),
                         headers=admin, stream=True,  # one never ends
                         json=None if method == "get" else {})
            asked += 1
    assert asked > 50


def test_no_secret_is_in_any_log(own_service):
    kept = Secrets()
    service = own_service(PENSTOCK_LOG_LEVEL="debug")
    service.lib("true")
    url = service.conninfo.replace("user=penstock", "user=penstock_serve "
        "password=" + kept.keep("the database's", secrets.token_urlsafe(24)))
    service.env.update(
        PENSTOCK_DATABASE_URL=url, PENSTOCK_S3_BUCKET="nowhere",
        PENSTOCK_S3_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        PENSTOCK_S3_ACCESS_KEY="penstock",
        PENSTOCK_S3_SECRET_KEY=kept.keep("S3's", secrets.token_urlsafe(24)))
    service.start("--no-demo")
    kept.keep("the key of tokens",
              (service.state / "secrets/jwt").read_text().strip())
    kept.keep("the local device's key", service.device_key)
    user, call = walk_accounts(service, kept)
    walk_refusals(kept, user, call)
    walk_routes(service, kept)
    # With its database gone, and again: what libpq says of it.
    service.lib("halt postgres INT 8")
    wait_for("its loss", lambda: not service.ready())
    call("GET", "/api/v1/nodes")
    service.lib("postgres_start")
    wait_for("it", service.ready)
    service.stop()
    text = service.log()
    # The walk is in the log, and the test can find what is there.
    assert text.count('"event":"request"') > 60 and user in text
    for path in sorted((service.state / "log").iterdir()):
        assert kept.found(path.read_text(errors="replace")) == [], path.name
    assert kept.found(text + kept.all["a device key"]) == ["a device key"]


@pytest.mark.parametrize("url", [
    "postgresql://penstock:{}%zz@127.0.0.1/penstock",
    "postgresql://penstock:{}@[::1]0/penstock",
    "host=127.0.0.1 password=two {}",
])
def test_a_connection_string_that_cannot_be_read_is_not_told(service, url):
    """libpq quotes it where it does not understand it."""
    secret = secrets.token_hex(12)
    env = dict(service.env, PENSTOCK_DATABASE_URL=url.format(secret))
    commands = [[BUILD / "src/cmd/penstock-migrate"],
                [BUILD / "src/cmd/penstock-bootstrap", "--password-file",
                 "/nonexistent/file"],
                [BUILD / "src/cmd/penstock-archive", "list"],
                ["kore", "-fnrq", "-c", service.state / "lib/penstock.conf"]]
    settings = dict(line.split("=", 1) for line in
                    (service.state / "penstock.env").read_text().splitlines())
    del settings["PENSTOCK_DATABASE_URL"], settings["PENSTOCK_ARCHIVE_URL"]
    for command in commands:
        done = subprocess.run(command, env={**settings, **env}, timeout=20,
                              capture_output=True, text=True,
                              cwd=service.state / "lib")
        told = done.stdout + done.stderr
        assert done.returncode != 0 and "cannot be read" in told, told
        assert secret not in told


UNITS = [ROOT / "conf" / f"penstock{part}.service" for part in ("", "-archive")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.stem)
def test_the_unit_is_tight(unit):
    """systemd's own judgement of its sandbox; 1.5 of 10 is what a service
    with a network and sockets can reach."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15",
         "--no-pager", unit], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_both_units_have_the_same_sandbox():
    def sandbox(unit):
        lines = unit.read_text().splitlines()
        lines = lines[lines.index("CapabilityBoundingSet="):
                      lines.index("[Install]")]
        return [line for line in lines if line and not line.startswith("#")]

    one, other = map(sandbox, UNITS)
    assert one == other and len(one) > 25


def test_the_unit_lets_a_worker_do_what_its_own_list_does():
    """Or the sandbox of src/edge would be narrowed by accident."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")

    def calls(name):
        told = subprocess.run(["systemd-analyze", "syscall-filter", name],
                              capture_output=True, text=True, check=True)
        words = [line.strip() for line in told.stdout.splitlines()[1:]]
        return set().union(*(calls(w) if w.startswith("@") else {w}
                             for w in words if w and not w.startswith("#")))

    source = (ROOT / "src/edge/sandbox.c").read_text()
    rows = (ROOT / "src/edge/sandbox_calls.inc").read_text()
    worker = set(re.findall(r"^CALL\((\w+), \"\w", rows, re.M))
    assert len(worker) == rows.count("\nCALL(")
    worker |= set(re.findall(r"ALLOW_(?:ARG|WITH_FLAG)\((\w+)", source))
    assert len(worker) > 50
    assert worker <= calls("@system-service") - calls("@privileged")
