"""An identity provider: keys, tokens, and its JWK set over HTTPS."""

import base64
import http.server
import json
import ssl
import subprocess
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from support.service import free_port


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, kid, kind="RSA"):
        self.kid, self.kind = kid, kind
        self.key = (rsa.generate_private_key(65537, 2048) if kind == "RSA"
                    else ec.generate_private_key(ec.SECP256R1()))

    def jwk(self):
        public = self.key.public_key().public_numbers()
        if self.kind == "RSA":
            rest = {"n": number(public.n), "e": number(public.e)}
        else:
            rest = {"crv": "P-256", "x": number(public.x, 32),
                    "y": number(public.y, 32)}
        return {"kty": self.kind, "kid": self.kid, "use": "sig", **rest}

    def sign(self, data):
        if self.kind == "RSA":
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(
            self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, issuer, **claims):
        header = {"alg": "RS256" if self.kind == "RSA" else "ES256",
                  "typ": "at+jwt", "kid": self.kid}
        body = {"iss": issuer, "sub": "u-1", "iat": int(time.time()),
                "exp": int(time.time()) + 300, **claims}
        text = ".".join(b64(json.dumps(p).encode()) for p in (header, body))
        return text + "." + b64(self.sign(text.encode()))


class Provider:
    """Serves `body` at /keys; `asked` counts who came."""

    def __init__(self, folder):
        self.cert, key = folder / "idp.pem", folder / "idp.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=idp", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
             key, "-out", self.cert], check=True, capture_output=True)
        self.cert.chmod(0o644)
        self.asked, self.status, self.headers = 0, 200, {}
        self.open = threading.Event()  # not set: it hangs
        self.open.set()
        self.body = b""
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked += 1
                provider.open.wait(30)
                self.send_response(provider.status)
                for name, value in provider.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(provider.body)))
                self.end_headers()
                self.wfile.write(provider.body)

            def log_message(self, *args):
                pass

        self.port = free_port()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}/keys"

    def show(self, *keys):
        self.body = json.dumps({"keys": [
            k if isinstance(k, dict) else k.jwk() for k in keys]}).encode()

    def close(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()
