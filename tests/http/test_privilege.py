"""What the processes of a running service may do, and what they keep to
themselves: core files, privileges, memory, the log."""

import os
import pathlib
import subprocess

import pytest

from support.service import ROOT


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in
            (line.partition(":") for line in lines)}


def core_limit(pid):
    text = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return [line.split()[-3:-1] for line in text.splitlines()
            if line.startswith("Max core file size")][0]


def parts(service):
    """Pids: Kore's parent, its workers and key manager, and the archive's."""
    parent = service.pid("kore")
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children")
    return {"parent": [parent], "workers": service.workers(),
            "children": [int(p) for p in children.read_text().split()],
            "archive": [service.pid("archive")]}


def test_no_core_and_no_new_privileges(service):
    found = parts(service)
    assert len(found["workers"]) == 2
    assert set(found["workers"]) <= set(found["children"])
    for pid in sum(found.values(), []):
        assert status(pid)["NoNewPrivs"] == "1", status(pid)["Name"]
        assert core_limit(pid) == ["0", "0"], status(pid)["Name"]
    for pid in found["workers"]:
        assert status(pid)["Seccomp"] == "2"


def test_nobody_else_reads_the_memory(service):
    """Undumpable: what is in /proc/PID is root's, and the same user may not
    trace it (proc(5), ptrace(2))."""
    for pid in sum(parts(service).values(), []):
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    if os.getuid() != 0:
        pytest.skip("becoming the service's user needs root")
    owner = os.stat(service.state / "secrets").st_uid
    for pid in sum(parts(service).values(), []):
        for name in ("environ", "maps", "mem"):
            done = subprocess.run(
                ["setpriv", f"--reuid={owner}", f"--regid={owner}",
                 "--clear-groups", "--inh-caps=-all",
                 "head", "-c1", f"/proc/{pid}/{name}"], capture_output=True)
            assert done.returncode != 0 and b"denied" in done.stderr, name


def test_the_service_has_no_capabilities(service):
    if os.getuid() != 0:
        pytest.skip("started without privileges anyway")
    for pid in sum(parts(service).values(), []):
        have = status(pid)
        assert have["Uid"].split()[0] != "0"
        assert {have[c] for c in ("CapPrm", "CapEff", "CapInh", "CapAmb")} \
            == {"0" * 16}
