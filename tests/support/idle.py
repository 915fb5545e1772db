"""Holds many idle connections: `idle.py PORT CA COUNT` opens them, each with
one request answered, says so, and at a line on stdin asks each once more."""

import resource
import socket
import ssl
import sys

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def open_one(port, context, session):
    sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), 30),
        server_hostname="localhost", session=session)
    return sock if ask(sock) else None


def ask(sock):
    sock.sendall(REQUEST)
    return sock.recv(4096).startswith(b"HTTP/1.1 200")


def main(port, ca, count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.create_default_context(cafile=ca)
    held, session = [], None
    for _ in range(int(count)):
        sock = open_one(int(port), context, session)
        if sock is not None:
            held.append(sock)
            session = session or sock.session
    print("open", len(held), flush=True)
    sys.stdin.readline()
    print("answered", sum(ask(sock) for sock in held), flush=True)


main(*sys.argv[1:])
