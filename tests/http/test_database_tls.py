"""TLS to PostgreSQL: every connection of every part by sslmode=verify-full, and
none to a server whose name or authority is another."""

import ipaddress
import os
import secrets
import subprocess

import pytest
import requests

from support.instance import START
from support.service import Service, free_port, wait_for
from test_privilege import BUILD
from test_tls import authority, signed

NAME = "db.utility.example"
SERVER = """
tee -a "$STATE/pg/postgresql.conf" >/dev/null <<END
listen_addresses = '{address}'
ssl = on
ssl_cert_file = '$STATE/pg/server.pem'
ssl_key_file = '$STATE/pg/server.key'
END
printf '%s\\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 scram-sha-256' \
    >"$STATE/pg/pg_hba.conf"
as_service sh -c 'umask 077; cat >"$1"' sh "$STATE/pg/server.key" <"{key}"
as_service sh -c 'cat >"$1"' sh "$STATE/pg/server.pem" <"{cert}"
install -m 644 "{ca}" "$STATE/db-ca.pem"
install -m 644 "{other}" "$STATE/other-ca.pem"
"""


class Database:
    """A service's PostgreSQL with a certificate for NAME, on an address of
    its own so that its port may stay 5432."""

    def __init__(self, service, folder):
        self.service = service
        self.address = str(ipaddress.ip_address(
            0x7F000000 + 0x10000 + secrets.randbelow(0xFE0000)))
        self.password = secrets.token_urlsafe(18)
        ca, other = authority(folder, "utility"), authority(folder, "other")
        cert, key = signed(folder, "utility", f"/CN={NAME}", "server",
                           extension="serverAuth", names=f"DNS:{NAME}")
        service.lib("postgres_init\n" + SERVER.format(
            address=self.address, ca=ca, other=other, cert=cert, key=key))
        service.lib("postgres_start; for r in penstock penstock_serve "
                    "penstock_archive; do psql_do -d postgres -qc \"ALTER "
                    f"ROLE $r PASSWORD '{self.password}'\"; done")

    def url(self, name=NAME, ca="db-ca.pem", password=None, user="penstock"):
        return (f"host={name} hostaddr={self.address} user={user} "
                f"dbname=penstock password={password or self.password} "
                f"sslmode=verify-full "
                f"sslrootcert={self.service.state}/{ca}")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    service = Service(PENSTOCK_LOOP_PERIOD=300)
    try:
        made = Database(service, tmp_path_factory.mktemp("names"))
        for part, user in (("DATABASE", "serve"), ("ARCHIVE", "archive")):
            service.env[f"PENSTOCK_{part}_URL"] = made.url(
                user=f"penstock_{user}")
        service.start()
        yield made
    finally:
        service.remove()


def test_every_connection_is_verified(database):
    service = database.service
    service.make_series("TLS-1", "flow")
    answer = service.call("POST", "/api/v1/readings", "device", json={
        "node": "TLS-1", "metric": "flow", "value": 3,
        "ts": "2024-05-01T00:00:00Z"})
    assert answer.status_code == 200, answer.text
    wait_for("the loop's merge", lambda: service.sql(
        "SELECT 1 FROM segments") != [])
    part = service.call("POST", "/api/v1/imports", "engineer", json={})
    sent = service.call(
        "PUT", f"/api/v1/imports/{part.json()['id']}/parts/0", "engineer",
        headers={"Content-Type": "text/csv"},
        data="node,metric,ts,value\nTLS-1,flow,2024-04-01T00:00:00Z,2\n")
    assert sent.status_code == 200, sent.text
    rows = service.sql(
        "SELECT a.client_addr, s.ssl, s.version FROM pg_stat_activity a "
        "JOIN pg_stat_ssl s USING (pid) WHERE a.pid <> pg_backend_pid() "
        "AND a.backend_type = 'client backend'")
    # Two workers with their lanes, the loop among them.
    assert len(rows) > 4
    assert {(address, ssl) for address, ssl, _ in rows} == {
        ("127.0.0.1", True)}
    assert {version for _, _, version in rows} == {"TLSv1.3"}


def programs(service):
    return {
        "migrate": [BUILD / "src/cmd/penstock-migrate", "--status"],
        "bootstrap": [BUILD / "src/cmd/penstock-bootstrap",
                      "--password-file", service.folder / "unused"],
        "archive": [BUILD / "src/cmd/penstock-archive", "list"],
        "verify-hot": [BUILD / "src/cmd/penstock-verify-hot", "--redis",
                       os.path.realpath(service.state / "sock")
                       + "/redis.sock"],
    }


@pytest.mark.parametrize("program", [
    "migrate", "bootstrap", "archive", "verify-hot"])
def test_programs_verify_it_too(database, program):
    service = database.service
    command = programs(service)[program]

    def run(url):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30,
            env={**os.environ, "PENSTOCK_DATABASE_URL": url,
                 "PENSTOCK_ARCHIVE_DIR": str(service.state / "archive")})
        return done.returncode, done.stdout + done.stderr

    code, text = run(database.url())
    assert code == 0, text
    code, text = run(database.url(name="db.other.example"))
    assert code != 0 and NAME in text and '"db.other.example"' in text, text
    code, text = run(database.url(ca="other-ca.pem"))
    assert code != 0 and "certificate verify failed" in text, text
    assert database.password not in text


@pytest.mark.parametrize("wrong, words", [
    ({"name": "db.other.example"}, "does not match host name"),
    ({"ca": "other-ca.pem"}, "certificate verify failed"),
    ({"ca": "no-such-ca.pem"}, "no-such-ca.pem"),
])
def test_a_service_without_a_server_that_it_trusts(database, wrong, words):
    """Alive, not ready, and its log has the reason."""
    service, port = database.service, free_port()
    settings = (f"PENSTOCK_PORT={port} "
                f"'PENSTOCK_DATABASE_URL={database.url(**wrong)}'")
    service.lib(START.format(name="wrong", settings=settings))
    try:
        log = service.state / "log/wrong.log"
        wait_for(words, lambda: words in log.read_text(), 20)
        url = f"https://127.0.0.1:{port}"
        with requests.Session() as s:
            s.verify, s.trust_env = service.ca, False
            ready = s.get(url + "/ready", timeout=20)
            assert ready.status_code == 503
            assert s.get(url + "/health", timeout=20).status_code == 200
        assert database.password not in log.read_text() + ready.text
    finally:
        service.lib("halt wrong TERM 9; rm -f \"$STATE/log/wrong.log\"")
