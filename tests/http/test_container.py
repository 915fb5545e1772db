"""The image without Docker: the files that the Dockerfile copies, as its user,
without privileges, on a root file system that cannot be written."""
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess

import psycopg2
import pytest
import requests

from support.service import ROOT, Service, free_port, wait_for

BUILD = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))
USER = 10001
SECRETS = ("postgres", "serve", "archive", "database", "database.migrate",
           "database.archive", "jwt", "cert.pem", "key.pem")

pytestmark = pytest.mark.skipif(os.getuid() != 0,
                                reason="mounts need root")

# $1 the new root, $2 the image's files, $3 secrets, $4 what may be written;
# then user and command. The distribution's files are this machine's.
ENTER = r"""set -eu
root=$1 image=$2 secrets=$3 volumes=$4 user=$5; shift 5
mount --bind / "$root"
for d in opt run tmp mnt; do mount -t tmpfs none "$root/$d"; done
cp -a "$image/." "$root/opt/"
mkdir "$root/run/secrets"
cp -a "$secrets/." "$root/run/secrets/"
mount --bind "$volumes" "$root/mnt"
for d in proc dev; do mount --rbind "/$d" "$root/$d"; done
for d in opt run tmp .; do mount -o remount,bind,ro "$root/$d"; done
exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all \
    sh -c 'cd /opt/penstock; exec "$@"' sh "$@"
"""


def copies():
    """(from, to) of each COPY of the image's last stage."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stage = text[text.rindex("\nFROM "):]
    for line in re.findall(r"^COPY (.*)$", stage, re.M):
        *sources, target = [w for w in line.split() if not w.startswith("--")]
        for source in sources:
            yield (BUILD / source[len("/build/"):] if "--from=build" in line
                   else ROOT / source), pathlib.PurePosixPath(target), \
                target.endswith("/")


def make_image(folder):
    for source, target, into in copies():
        place = folder / target.relative_to("/opt")
        if into:
            place = place / source.name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place)


class Container:
    def __init__(self, folder):
        self.service = Service()  # PostgreSQL and Redis alone
        self.folder = folder
        self.port = free_port()
        for name in ("root", "image", "secrets", "volumes"):
            (folder / name).mkdir()
        make_image(folder / "image")
        self.make_secrets()
        self.start_servers()

    def make_secrets(self):
        kept = self.folder / "secrets"
        for name in ("postgres", "serve", "archive", "jwt"):
            (kept / name).write_text(secrets.token_urlsafe(48))
        for name, role, word in (("database", "penstock_serve", "serve"),
                                 ("database.migrate", "penstock", "postgres"),
                                 ("database.archive", "penstock_archive",
                                  "archive")):
            (kept / name).write_text(
                f"host=127.0.0.1 port=PORT user={role} dbname=penstock "
                f"password={(kept / word).read_text()}\n")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", kept / "key.pem", "-out", kept / "cert.pem"],
            check=True, capture_output=True)

    def start_servers(self):
        port, self.redis_port = free_port(), free_port()
        kept = self.folder / "secrets"
        for path in kept.glob("database*"):
            path.write_text(path.read_text().replace("PORT", str(port)))
        for path in kept.iterdir():
            path.chmod(0o600)
            os.chown(path, USER, USER)
        self.service.lib(
            "postgres_init; as_service tee -a $STATE/pg/postgresql.conf "
            ">/dev/null <<<\"listen_addresses = '127.0.0.1'\n"
            f"port = {port}\"; printf '%s\\n' 'local all all trust' "
            "'host all all 127.0.0.1/32 scram-sha-256' "
            ">$STATE/pg/pg_hba.conf; export PGPORT="
            f"{port}; postgres_start; psql_do -d penstock -qc "
            "'DROP ROLE penstock_serve; DROP ROLE penstock_archive'; "
            "psql_do -d penstock -qc \"ALTER ROLE penstock PASSWORD "
            f"'{(kept / 'postgres').read_text()}'\"")
        self.postgres = port
        self.redis = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port",
             str(self.redis_port), "--save", "", "--dir", self.folder],
            stdout=subprocess.DEVNULL)

    def command(self, *command, user=USER):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                ENTER, "sh", self.folder / "root", self.folder / "image",
                self.folder / "secrets", self.folder / "volumes", str(user),
                *command]

    def environment(self, **more):
        return {"PATH": "/opt/penstock:" + os.environ["PATH"], **more}

    def run(self, *command, user=USER, **more):
        return subprocess.run(
            self.command(*command, user=user), capture_output=True, text=True,
            env=self.environment(**more), timeout=60)

    def start(self):
        told = (self.folder / "log").open("w")
        self.kore = subprocess.Popen(
            self.command("kore", "-fnrq", "-c", "/opt/penstock/penstock.conf"),
            stdout=told, stderr=told, env=self.environment(
                PENSTOCK_DATABASE_URL_FILE="/run/secrets/database",
                PENSTOCK_JWT_SECRET_FILE="/run/secrets/jwt",
                PENSTOCK_TLS_CERT="/run/secrets/cert.pem",
                PENSTOCK_TLS_KEY="/run/secrets/key.pem",
                PENSTOCK_REDIS_PORT=str(self.redis_port),
                PENSTOCK_ARCHIVE_DIR="/mnt/archive",
                PENSTOCK_PORT=str(self.port)))

    def call(self, method, path, token=None, **arguments):
        with requests.Session() as s:
            s.verify, s.trust_env = self.folder / "secrets/cert.pem", False
            if token:
                s.headers["Authorization"] = f"Bearer {token}"
            return s.request(method, f"https://localhost:{self.port}{path}",
                             timeout=20, **arguments)

    def ready(self):
        assert self.kore.poll() is None, (self.folder / "log").read_text()
        try:
            return self.call("GET", "/ready").status_code == 200
        except requests.RequestException:
            return False

    def close(self):
        if getattr(self, "kore", None) and self.kore.poll() is None:
            self.kore.kill()
        self.redis.kill()
        self.redis.wait()
        self.service.remove()


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    folder = tmp_path_factory.mktemp("container")
    for place in (folder, *folder.parents[:2]):
        place.chmod(0o755)  # pytest's own are 0700
    made = Container(folder)
    yield made
    made.close()


def test_roles_are_made_and_their_passwords_set_anew(container):
    """As the image postgres runs it; twice, as with a volume of before."""
    shutil.copy(ROOT / "sql/roles.sh", container.folder / "image")
    for _ in range(2):
        done = container.run(
            "sh", "/opt/roles.sh", PGHOST="127.0.0.1",
            PGPORT=str(container.postgres), POSTGRES_USER="penstock",
            POSTGRES_DB="penstock", PGPASSWORD=(
                container.folder / "secrets/postgres").read_text())
        assert done.returncode == 0, done.stderr
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", port=container.postgres,
                         user="penstock_serve", dbname="penstock",
                         password="another")


def test_it_migrates_and_makes_an_admin(container):
    url = {"PENSTOCK_MIGRATE_URL_FILE": "/run/secrets/database.migrate"}
    done = container.run("penstock-migrate", "--dir",
                         "/opt/penstock/migrations", **url)
    assert done.returncode == 0, done.stderr
    (container.folder / "volumes/archive").mkdir()
    os.chown(container.folder / "volumes/archive", USER, USER)
    os.chown(container.folder / "volumes", USER, USER)
    done = container.run("penstock-bootstrap", "--password-file",
                         "/mnt/admin.password", **url)
    assert done.returncode == 0, done.stderr
    denied = container.run("penstock-migrate", "--dir",
                           "/opt/penstock/migrations",
                           PENSTOCK_MIGRATE_URL_FILE="/run/secrets/database")
    assert denied.returncode != 0 and "permission denied" in denied.stderr


def test_it_serves_without_a_place_to_write(container):
    container.start()
    wait_for("ready", container.ready, 30)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(
        f"/proc/{container.kore.pid}/status").read_text().splitlines())
    assert status["Uid"].split() == [str(USER)] * 4
    assert status["NoNewPrivs"] == "1"
    assert {status[c] for c in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {
        "0" * 16}
    places = "/ /opt/penstock /tmp /run /run/secrets /etc /var/tmp".split()
    for place in places:
        done = container.run("touch", f"{place}/written")
        assert done.returncode != 0, place
    password = (container.folder / "volumes/admin.password").read_text()
    token = container.call("POST", "/api/v1/auth/token", json={
        "username": "admin", "password": password.strip()}).json()
    token = token["access_token"]
    assert container.call("POST", "/api/v1/nodes", token, json={
        "code": "BOX", "name": "BOX", "type": "junction", "series": [
            {"metric": "flow", "unit": "m3/h"}]}).status_code == 201
    reading = {"node": "BOX", "metric": "flow", "value": 3,
               "ts": "2024-05-01T00:00:00Z"}
    answer = container.call("POST", "/api/v1/readings", token, json=reading)
    assert answer.status_code == 200, answer.text
    latest = container.call("GET", "/api/v1/nodes/BOX/latest", token)
    assert [i["value"] for i in latest.json()["items"]] == [3]


def test_the_archive_has_its_own_role(container):
    done = container.run(
        "penstock-archive", "run", "--before", "2024-06-01", "--grace", "0",
        PENSTOCK_ARCHIVE_URL_FILE="/run/secrets/database.archive",
        PENSTOCK_ARCHIVE_DIR="/mnt/archive")
    assert done.returncode == 0, done.stdout + done.stderr
    done = container.run(
        "penstock-archive", "run", "--before", "2024-06-01",
        PENSTOCK_ARCHIVE_URL_FILE="/run/secrets/database",
        PENSTOCK_ARCHIVE_DIR="/mnt/archive")
    assert done.returncode != 0 and "permission denied" in (
        done.stdout + done.stderr)


def test_it_stops_when_told(container):
    container.kore.send_signal(signal.SIGTERM)
    assert container.kore.wait(20) == 0
