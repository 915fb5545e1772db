"""An S3 server on loopback: s3rver from npm keeps the objects, and a front
before it speaks TLS and checks what s3rver does not, Signature Version 4 (AWS
General Reference, "Signing AWS API requests"), written here from the
specification so that it owes nothing to libcurl, which signs."""

import hashlib
import hmac
import http.client
import http.server
import os
import pathlib
import shutil
import ssl
import subprocess
import threading

from support.service import free_port, wait_for

S3RVER = "3.7.1"
BUCKET, REGION = "penstock-test", "eu-test-1"
KEY, SECRET = "S3RVER", "a secret/with+signs="


class Missing(Exception):
    """Why there can be no S3 server here."""


def install():
    """s3rver's program, fetched once into the user's cache."""
    if not shutil.which("npm") or not shutil.which("node"):
        raise Missing("no npm: apt-get install npm")
    cache = pathlib.Path(os.environ.get(
        "XDG_CACHE_HOME") or "~/.cache").expanduser() / f"s3rver-{S3RVER}"
    program = cache / "node_modules/.bin/s3rver"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--prefix", cache, "--no-audit", "--no-fund",
             f"s3rver@{S3RVER}"], capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            raise Missing("npm cannot fetch s3rver: " + done.stderr[-200:])
    return program


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def is_signed(handler, body):
    """Whether the request carries the signature that its parts call for."""
    kind, _, rest = handler.headers["Authorization"].partition(" ")
    parts = dict(p.strip().split("=", 1) for p in rest.split(","))
    key, date, region, service, end = parts["Credential"].split("/")
    claimed = handler.headers["x-amz-content-sha256"]
    if (kind, key, region, service, end) != (
            "AWS4-HMAC-SHA256", KEY, REGION, "s3", "aws4_request"):
        return False
    if claimed != hashlib.sha256(body).hexdigest():
        return False
    path, _, query = handler.path.partition("?")
    names = parts["SignedHeaders"].split(";")
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or \
            None in [handler.headers[n] for n in names]:
        return False
    canonical = "\n".join(
        [handler.command, path, query]
        + [f"{n}:{' '.join(handler.headers[n].split())}" for n in names]
        + ["", ";".join(names), claimed])
    text = "\n".join(
        [kind, handler.headers["x-amz-date"], "/".join(
            [date, region, service, end]),
         hashlib.sha256(canonical.encode()).hexdigest()])
    k = mac(mac(mac(mac(b"AWS4" + SECRET.encode(), date), region), service),
            end)
    return mac(k, text).hex() == parts["Signature"]


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path,
                                 self.headers.get("Range")))
        if "Authorization" not in self.headers or not is_signed(self, body):
            return self.answer(403, {}, b"<Error><Code>SignatureDoesNotMatch"
                               b"</Code></Error>")
        back = http.client.HTTPConnection("127.0.0.1", self.server.back)
        back.request(self.command, self.path, body, dict(self.headers))
        got = back.getresponse()
        kept = {k: v for k, v in got.getheaders() if k.lower() in (
            "content-type", "content-range", "etag", "content-length")}
        return self.answer(got.status, kept, got.read())

    do_GET = do_PUT = do_HEAD = serve

    def answer(self, status, headers, body):
        self.send_response(status)
        if self.command != "HEAD":
            headers = {k: v for k, v in headers.items()
                       if k.lower() != "content-length"}
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


class S3:
    """A context: .env are the settings that lead to it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.env = {
            "PENSTOCK_S3_ENDPOINT": f"https://127.0.0.1:{self.port}",
            "PENSTOCK_S3_BUCKET": BUCKET, "PENSTOCK_S3_REGION": REGION,
            "PENSTOCK_S3_ACCESS_KEY": KEY, "PENSTOCK_S3_SECRET_KEY": SECRET,
            "PENSTOCK_S3_CA": str(self.folder / "s3.pem")}

    def __enter__(self):
        program = install()
        back = free_port()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
             self.folder / "s3.key", "-out", self.folder / "s3.pem"],
            check=True, capture_output=True)
        self.process = subprocess.Popen(
            [program, "-d", self.folder / "objects", "-a", "127.0.0.1", "-p",
             str(back), "-s", "--configure-bucket", BUCKET])
        self.back = back
        self.start_front()
        wait_for("s3rver answers", self.answers)
        return self

    def answers(self):
        try:
            http.client.HTTPConnection("127.0.0.1", self.back,
                                       timeout=1).request("GET", "/")
            return True
        except OSError:
            return False

    def start_front(self):
        self.front = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Front)
        self.front.back = self.back
        self.front.seen = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "s3.pem", self.folder / "s3.key")
        self.front.socket = context.wrap_socket(self.front.socket,
                                                server_side=True)
        threading.Thread(target=self.front.serve_forever,
                         daemon=True).start()

    def stop_front(self):
        self.front.shutdown()
        self.front.server_close()

    def __exit__(self, *_):
        self.stop_front()
        self.process.terminate()
        self.process.wait(10)
