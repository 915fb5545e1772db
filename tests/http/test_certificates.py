"""A device's certificate stands for its API key: scope, expiry, revocation."""

import secrets
import ssl

import pytest

from support.service import Service, wait_for
from test_accounts import send as send_with_key
from test_tls import authority, signed

BODY = ('{"node": "%s", "metric": "flow", "value": 1, '
        '"ts": "2024-05-01T00:00:%02d.%06dZ"}')


class Devices:
    def __init__(self, service, folder):
        self.service, self.folder = service, folder
        self.made = 0

    def key(self, name, **scope):
        answer = self.service.call("POST", "/api/v1/api-keys", "engineer",
                                   json={"name": name, **scope})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def revoke(self, key):
        answer = self.service.call(
            "DELETE", f"/api/v1/api-keys/{key['id']}", "engineer")
        assert answer.status_code < 300, answer.text

    def certificate(self, name):
        """Of a device with that common name."""
        self.made += 1
        return signed(self.folder, "utility", f"/CN={name}", f"d{self.made}")

    def post(self, certificate, node, authorization=None):
        with self.service.session() as s:
            s.cert = tuple(str(p) for p in certificate)
            if authorization is not None:
                s.headers["Authorization"] = authorization
            return s.post(
                self.service.url + "/api/v1/readings", timeout=20,
                headers={"Content-Type": "application/json"},
                data=BODY % (node, secrets.randbelow(60),
                             secrets.randbelow(10**6)))

    def status(self, *arguments):
        return self.post(*arguments).status_code


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    ca = authority(folder, "utility")
    service = Service(PENSTOCK_LOOP_PERIOD=500)
    try:
        service.lib(f'install -m 644 "{ca}" "$STATE/devices.pem"')
        service.env["PENSTOCK_TLS_CLIENT_CA"] = f"{service.state}/devices.pem"
        service.start()
        for node in ("CERT-A", "CERT-B"):
            service.make_series(node, "flow")
        yield Devices(service, folder)
    finally:
        service.remove()


def test_two_devices_each_within_its_scope(devices):
    keys = {n: devices.key(f"logger-{n}", nodes=[f"CERT-{n}"]) for n in "AB"}
    for n, other in ("AB", "BA"):
        mine = devices.certificate(f"logger-{n}")
        assert devices.status(mine, f"CERT-{n}") == 200
        refused = devices.post(mine, f"CERT-{other}")
        assert refused.status_code == 422
        assert refused.json()["reason"] == "not_in_scope"
        by_id = devices.certificate(keys[n]["id"])
        assert devices.status(by_id, f"CERT-{n}") == 200
    # What it may do is what the key may do.
    with devices.service.session() as s:
        s.cert = tuple(str(p) for p in mine)
        me = s.get(devices.service.url + "/api/v1/auth/me", timeout=20)
        assert me.json()["role"] == "device", me.text
        assert keys["B"]["id"] in me.json()["name"]
        assert s.get(devices.service.url + "/api/v1/users",
                     timeout=20).status_code == 403
    wait_for("its use is told", lambda: devices.service.call(
        "GET", f"/api/v1/api-keys/{keys['B']['id']}", "engineer"
    ).json()["last_used_at"])


def test_revoked_and_unknown(devices):
    key = devices.key("logger-r")
    mine = devices.certificate("logger-r")
    assert devices.status(mine, "CERT-A") == 200
    devices.revoke(key)
    wait_for("its end", lambda: devices.status(mine, "CERT-A") == 401, 5)
    assert {devices.status(mine, "CERT-A") for _ in range(8)} == {401}
    by_id = devices.certificate(key["id"])
    assert devices.status(by_id, "CERT-A") == 401
    nobody = devices.post(devices.certificate("nobody"), "CERT-A")
    assert nobody.status_code == 401
    assert "error=\"invalid_token\"" in nobody.headers["WWW-Authenticate"]


def test_a_name_of_two_is_nobody(devices):
    one, two = devices.key("twin"), devices.key("twin")
    mine = devices.certificate("twin")
    wait_for("both are known", lambda: devices.status(mine, "CERT-A") == 401, 5)
    assert {devices.status(mine, "CERT-A") for _ in range(8)} == {401}
    assert "several" in devices.post(mine, "CERT-A").text
    assert devices.status(devices.certificate(one["id"]), "CERT-A") == 200
    devices.revoke(two)
    wait_for("one is left", lambda: devices.status(mine, "CERT-A") == 200, 5)


def test_rotation_keeps_the_name_and_expiry_ends_it(devices):
    old = devices.key("logger-x")
    mine = devices.certificate("logger-x")
    new = devices.service.call(
        "POST", f"/api/v1/api-keys/{old['id']}/rotate", "engineer",
        json={"overlap_s": 4}).json()
    # Both keys are in use, and the name is still that of one device.
    assert devices.status(mine, "CERT-A") == 200
    assert send_with_key(devices.service, old, "CERT-A") != 401
    by_id = devices.certificate(old["id"])
    wait_for("the old one is over",
             lambda: devices.status(by_id, "CERT-A") == 401, 10)
    assert devices.status(mine, "CERT-A") == 200
    devices.revoke(new)
    wait_for("its end", lambda: devices.status(mine, "CERT-A") == 401, 5)


def test_what_is_said_counts_before_what_is_shown(devices):
    """An Authorization field, right or wrong, decides alone."""
    devices.key("logger-s", nodes=["CERT-A"])
    mine = devices.certificate("logger-s")
    other = devices.key("by-key", nodes=["CERT-B"])
    assert devices.status(mine, "CERT-A") == 200
    assert devices.status(mine, "CERT-B", f"Bearer {other['key']}") == 200
    for wrong in ("Bearer nothing", "Basic YTpi", "Bearer pk_x", "",
                  f"Bearer {other['key'][:-2]}AA"):
        assert devices.status(mine, "CERT-A", wrong) == 401, wrong
    with devices.service.session() as s:
        assert s.post(devices.service.url + "/api/v1/readings", json={},
                      timeout=20).status_code == 401


def test_a_certificate_of_another_authority_is_no_name(devices, tmp_path):
    devices.key("logger-f")
    authority(tmp_path, "stranger")
    forged = signed(tmp_path, "stranger", "/CN=logger-f", "forged")
    with pytest.raises(Exception) as refused:
        devices.post(forged, "CERT-A")
    assert isinstance(refused.value, (ssl.SSLError, OSError))
