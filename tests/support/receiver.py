"""Somebody else's server that webhooks call, in one of several moods."""

import base64
import hashlib
import hmac
import http.server
import threading
import time


class Receiver:
    def __init__(self, mood="ok"):
        self.mood, self.calls, self.lock = mood, [], threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.calls.append((dict(self.headers), body))
                getattr(self, receiver.mood.replace("-", "_"))()

            def do_GET(self):
                with receiver.lock:
                    receiver.calls.append((None, self.path))
                self.ok()

            def ok(self, status=200, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def broken(self):
                self.ok(500, b"no")

            def moved(self):
                self.ok(302, Location=receiver.url + "/elsewhere")

            def silent(self):
                receiver.hold.wait(30)
                self.close_connection = True

            def cut(self):
                self.wfile.write(b"HTTP/1.1 2")
                self.close_connection = True

            def huge(self):
                self.send_response(500)
                self.send_header("Content-Length", str(1 << 40))
                self.end_headers()
                try:
                    while not receiver.hold.is_set():
                        self.wfile.write(b"x" * 65536)
                except OSError:
                    pass

            def drip(self):
                try:
                    for c in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10000:
                        self.wfile.write(bytes([c]))
                        if receiver.hold.wait(0.2):
                            return
                except OSError:
                    pass

            def nonsense(self):
                self.wfile.write(b"\x00\xff SSH-2.0 \r\n\r\n")
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.hold = threading.Event()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()

    def ids(self):
        with self.lock:
            return [h["webhook-id"] for h, _ in self.calls if h]


def verified(secret, headers, body, now=None):
    """As a receiver should: standardwebhooks.com."""
    stamp = headers["webhook-timestamp"]
    if abs((now or time.time()) - int(stamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    good = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return any(hmac.compare_digest(good, word.removeprefix("v1,").encode())
               for word in headers["webhook-signature"].split(" "))
