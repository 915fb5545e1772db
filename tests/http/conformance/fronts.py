"""Proxies before a probe: HAProxy and nginx, as the README sets them up, plain
on loopback towards the client and TLS towards the probe. Each writes down what
it understood of every request that it passed on."""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import time

from cases import Seen
from support.service import free_port

HAPROXY = """
global
	log stdout len 65535 format raw local0 info
	tune.bufsize 32768
defaults
	mode http
	log global
	timeout client 5s
	timeout server 10s
	timeout connect 2s
	timeout http-request 2s
	retries 0
	http-reuse always
	option http-buffer-request
	option forwardfor
frontend front
	bind 127.0.0.1:{port}
	declare capture request len 30000
	http-request capture req.body,hex id 0
	log-format "passed %s <%[capture.req.hdr(0)]> %[capture.req.method] %[capture.req.uri]"
	default_backend back
backend back
	server penstock 127.0.0.1:{back} ssl verify required ca-file {ca} verifyhost localhost sni str(localhost) alpn http/1.1
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
	log_format passed escape=json 'passed {{"method":"$request_method",'
	    '"uri":"$request_uri","body":"$request_body","to":"$upstream_addr"}}';
	access_log {folder}/log passed;
	client_body_temp_path {folder}/body;
	proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	client_body_buffer_size 64k;
	large_client_header_buffers 4 16k;
	server_tokens off;
	upstream penstock {{ server 127.0.0.1:{back}; keepalive 4; }}
	server {{
		listen 127.0.0.1:{port};
		location / {{
			proxy_pass https://penstock;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_ssl_verify on;
			proxy_ssl_trusted_certificate {ca};
			proxy_ssl_name localhost;
			proxy_next_upstream off;
			proxy_ignore_client_abort on;
		}}
	}}
}}
"""


def path_of(uri):
    """Without scheme and authority, which a front may leave in."""
    return re.sub(r"^https?://[^/?]*(?=(.?))",
                  lambda m: "" if m[1] == "/" else "/", uri, flags=re.I)


class Front:
    command = ()

    def __init__(self, folder, probe):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        conf = self.folder / "conf"
        conf.write_text(self.text.format(
            port=self.port, back=probe.port, ca=probe.ca, folder=folder))
        self.out = open(self.folder / "out", "wb")
        self.process = subprocess.Popen(
            [part.format(conf=conf, folder=folder) for part in self.command],
            stdout=self.out, stderr=subprocess.STDOUT)
        self.at = 0
        self._wait()

    def _wait(self):
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError((self.folder / "out").read_text())

    def new(self, last):
        """What it passed on since the last look, up to the target `last`; a
        line is written after its answer."""
        for _ in range(100):
            with open(self.log, "rb") as file:
                file.seek(self.at)
                lines = file.read()
            passed = [self.passed(line) for line in lines.decode("latin-1").split("\n")[:-1]
                      if line.startswith("passed ")]
            if passed and passed[-1] and passed[-1].target == last:
                self.at += len(lines)
                return [seen for seen in passed if seen]
            time.sleep(0.02)
        raise AssertionError(f"{last} is not in the log")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.out.close()


class Haproxy(Front):
    command = ("haproxy", "-db", "-f", "{conf}")
    text = HAPROXY

    @property
    def log(self):
        return self.folder / "out"

    def passed(self, line):
        _, server, body, method, uri = line.split(" ", 4)
        if server == "<NOSRV>":
            return None
        # It finds no URI in an asterisk, and passes it on.
        uri = "*" if uri == "-" else path_of(uri)
        return Seen(method, uri, bytes.fromhex(body.strip("<>-")))


class Nginx(Front):
    command = ("nginx", "-p", "{folder}", "-c", "{conf}")
    text = NGINX

    @property
    def log(self):
        return self.folder / "log"

    def passed(self, line):
        r = json.loads(line[7:])
        if not r["to"]:
            return None
        return Seen(r["method"], path_of(r["uri"]), r["body"].encode("latin-1"))


FRONTS = {"haproxy": Haproxy, "nginx": Nginx}


def available(name):
    return shutil.which(name) is not None
