"""One more Kore on the PostgreSQL and Redis of a service: another instance
beside it, or the service itself started in another way."""

import os
import signal

import requests

from support.service import free_port, wait_for

START = """
set -a; . "$STATE/penstock.env"; set +a
launch {name} env -C "$STATE/lib" {settings} kore -fnrq -c "$STATE/lib/penstock.conf"
"""


class Instance:
    """A target of support.load as a Service is."""

    def __init__(self, service, name="kore-2", port=None, **settings):
        self.service, self.name = service, name
        self.port = port or free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.settings = {"PENSTOCK_PORT": self.port, **settings}

    @property
    def ca(self):
        return self.service.ca

    @property
    def device_key(self):
        return self.service.device_key

    def start(self):
        words = " ".join(f"'{k}={v}'" for k, v in self.settings.items())
        self.service.lib(START.format(name=self.name, settings=words))
        wait_for(f"/ready of {self.name}", self.ready, 20)
        return self

    def ready(self):
        try:
            return requests.get(self.url + "/ready", verify=self.ca,
                                timeout=5).status_code == 200
        except requests.RequestException:
            return False

    @property
    def pid(self):
        return self.service.pid(self.name)

    def workers(self):
        return self.service.workers(self.name)

    def kill(self):
        """kill -9 of the whole group, parent and workers at once."""
        os.killpg(self.pid, signal.SIGKILL)

    def stop(self):
        self.service.lib(f"halt {self.name} TERM 9")
