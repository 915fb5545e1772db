"""Whom commands are sent to: gateways whose certificate holds, at addresses
that are allowed. What was not sent is a dead letter, which leaves once its
gateway is put right."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.service import Service, free_port, wait_for
from test_hostile_gateway import (UTC, approve, follow, get, make_network,
                                  plan_of, post)

DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(
            x509.NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.key, self.name, [], 365 * DAY, True)

    def sign(self, key, subject, names, life, authority=False):
        now = datetime.datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(
            self.name).public_key(key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(
            now - 30 * DAY).not_valid_after(now + life).add_extension(
            x509.BasicConstraints(authority, None), critical=True)
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, folder, case, names, life=DAY):
        """A file of key and certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(key, x509.Name([x509.NameAttribute(
            x509.NameOID.COMMON_NAME, case)]), names, life)
        path = folder / f"{case}.pem"
        path.write_bytes(key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())
            + certificate.public_bytes(serialization.Encoding.PEM))
        return path


class Handler(http.server.BaseHTTPRequestHandler):
    """Executes all it gets."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(
            self.headers["Content-Length"])))
        self.server.seen.append((self.path, body, dict(self.headers)))
        answer = json.dumps({"idempotency_key": body["idempotency_key"],
                             "status": "executed"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pem=None):
        self.seen, self.pem = [], pem
        super().__init__(("127.0.0.1", free_port()), Handler)
        scheme = "http" if pem is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, address):
        """The handshake in the connection's own thread."""
        if self.pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.pem)
            try:
                request = context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        super().finish_request(request, address)

    def handle_error(self, *_):
        pass


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority("ours"), Authority("other")
    here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    servers = {
        "good": Server(ours.server(folder, "good", here)),
        "wrong-name": Server(ours.server(folder, "wrong-name", [
            x509.DNSName("gateway.example")])),
        "expired": Server(ours.server(folder, "expired", here, -DAY)),
        "stranger": Server(other.server(folder, "stranger", here)),
        "self-signed": Server(Authority("me").server(
            folder, "self-signed", here)),
        "address": Server()}
    # Another name of the same place, and no address that is allowed.
    servers["address"].url = servers["address"].url.replace(
        "127.0.0.1", "[::ffff:10.255.255.1]")
    service = Service(PENSTOCK_LOOP_PERIOD=500, PENSTOCK_GATEWAY_ASK=4,
                      PENSTOCK_GATEWAY_TIMEOUT=1000)
    try:
        service.lib("install -d \"$STATE\"")
        (service.state / "gateways.pem").write_bytes(ours.pem())
        (service.state / "gateways.pem").chmod(0o644)
        service.env["PENSTOCK_GATEWAY_CA"] = f"{service.state}/gateways.pem"
        service.start()
        make_network(service, servers)
        for name in servers:
            post(service, name, 90, 5, 4)
        plans = {name: approve(service, name) for name in servers}
        yield service, servers, follow(service, plans)
    finally:
        for server in servers.values():
            server.shutdown()
        service.remove()


def test_a_good_certificate_is_trusted(ended):
    _, servers, ends = ended
    assert ends["good"]["state"] == "worked", ends["good"]
    (path, body, headers), = servers["good"].seen
    assert path == "/commands"
    assert headers["Idempotency-Key"] == body["idempotency_key"]
    assert headers["Penstock-Signature"].startswith("v1=")


@pytest.mark.parametrize("name, words", [
    ("wrong-name", "name"), ("expired", "expired"),
    ("stranger", "certificate"), ("self-signed", "certificate"),
    ("address", "PENSTOCK_GATEWAY_NETS")])
def test_others_are_told_nothing(ended, name, words):
    _, servers, ends = ended
    command, = ends[name]["commands"]
    assert (ends[name]["state"], command["state"]) == ("failed", "expired")
    assert servers[name].seen == [] and command["dead_at"]
    said = [t["facts"].get("detail", "")
            for t in ends[name]["command_transitions"] if t["row"] == "C5"]
    assert said and all(words in s for s in said), said


def test_a_dead_letter_leaves_once_its_gateway_is_right(ended):
    service, servers, ends = ended
    command, = ends["wrong-name"]["commands"]
    letters = get(service, "commands", dead="true", limit=500)["items"]
    assert command["id"] in [c["id"] for c in letters]
    path = f"/api/v1/commands/{command['id']}/redrive"
    again = wait_for("another proposal", lambda: plan_of(
        service, "wrong-name", "proposed"))
    refused = service.call("POST", path, "operator", json={"reason": "now"})
    assert refused.status_code == 409, refused.text
    answer = service.call("POST", f"/api/v1/plans/{again['id']}/reject",
                          "operator", json={"reason": "the first will do"})
    assert answer.status_code == 200, answer.text
    answer = service.call("PATCH", "/api/v1/gateways/G-wrong-name", "admin",
                          json={"url": servers["good"].url})
    assert answer.status_code == 200, answer.text
    assert service.call("POST", path, "viewer",
                        json={"reason": "x"}).status_code == 403
    # Five tries in a row, as the jitter may have it, and its breaker is open.
    wait_for("a closed breaker", lambda: get(service, "gateways/G-wrong-name")[
        "held_until"] is None, 45)
    post(service, "wrong-name", 90, 2, 1, 0)
    answer = service.call("POST", path, "operator", json={"reason": "mended"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["key"] != command["key"]
    wait_for("its end", lambda: get(service, f"commands/{command['id']}")[
        "state"] in ("executed", "verified"))
    assert [b["idempotency_key"] for _, b, _ in servers["good"].seen][1:] == [
        answer.json()["key"]]
