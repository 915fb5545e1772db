"""Bytes as they are over TLS, and the answers to them; no HTTP library."""

import json
import socket
import ssl
from urllib.parse import urlsplit


class Closed(Exception):
    """The server ended the connection before the answer was complete."""


class Answer:
    def __init__(self, status, reason, headers, body):
        self.status, self.reason = status, reason
        self.headers, self.body = headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Raw:
    """One connection. send() bytes, answer() one response at a time."""

    def __init__(self, url, ca, timeout=10, rcvbuf=None,
                 source=None):
        at = urlsplit(url)
        context = ssl.create_default_context(cafile=ca)
        # An end without close_notify is one that was cut.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self.plain = socket.socket()
        if rcvbuf:
            self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain.settimeout(timeout)
        if source:
            self.plain.bind((source, 0))
        self.plain.connect((at.hostname, at.port))
        self.sock = context.wrap_socket(self.plain, server_hostname=at.hostname)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ssl.SSLEOFError:
            data = b""
        if not data:
            raise Closed(bytes(self.buffer))
        self.buffer += data

    def _head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        end = self.buffer.index(b"\r\n\r\n")
        head = bytes(self.buffer[:end])
        del self.buffer[:end + 4]
        line, *fields = head.decode("latin-1").split("\r\n")
        version, status, reason = line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        for field in fields:
            name, _, value = field.partition(": ")
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value
        return int(status), reason, headers

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, _, rest = bytes(self.buffer).partition(b"\r\n")
        self.buffer[:] = rest
        return line

    def chunks(self):
        """The pieces of a chunked body; Closed if it ends before its end."""
        while True:
            size = int(self._line(), 16)
            while len(self.buffer) < size + 2:
                self._more()
            piece = bytes(self.buffer[:size])
            assert self.buffer[size:size + 2] == b"\r\n"
            del self.buffer[:size + 2]
            if size == 0:
                return
            yield piece

    def answer(self, head_only=False):
        """The next response; 100 Continue counts as one."""
        status, reason, headers = self._head()
        if headers.get("transfer-encoding") == "chunked" and not head_only:
            assert "content-length" not in headers
            return Answer(status, reason, headers, b"".join(self.chunks()))
        length = int(headers.get("content-length", 0))
        if head_only or status in (100, 204, 304):
            length = 0
        while len(self.buffer) < length:
            self._more()
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return Answer(status, reason, headers, body)

    def closed(self):
        """True if the server ends the connection and sends nothing more."""
        try:
            self._more()
        except Closed:
            return not self.buffer
        except (ConnectionError, ssl.SSLError):
            return True
        return False


def request(method="GET", target="/health", *fields, body=b"", host="localhost"):
    """A well-formed request with more or stranger fields."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
