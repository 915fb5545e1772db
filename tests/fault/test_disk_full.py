"""A full disk under PostgreSQL: 503 for what cannot be stored, and nothing that
is acknowledged is lost; once there is room the service goes on by itself."""

import os
import pathlib
import subprocess
import tempfile
import time

import pytest

from support.service import wait_for

DISK = 480  # MiB; a new cluster with its write-ahead log takes about 50


@pytest.fixture
def disk():
    """A small file system of its own; the service user can enter it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-test."))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=755", "tmpfs",
         folder], capture_output=True, text=True)
    if done.returncode != 0:
        folder.rmdir()
        pytest.skip("cannot mount a small disk: " + done.stderr.strip())
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


def fill(path):
    with pytest.raises(OSError), open(path, "wb", buffering=0) as f:
        for _ in range(DISK * 16):
            f.write(bytes(65536))


def test_full_disk_says_503(disk, under_load):
    loaded = under_load({"state": disk / "state"})
    load = loaded.load
    began = time.monotonic()
    fill(disk / "ballast")
    wait_for("refusals", lambda: 503 in loaded.refused_since(began), 30)
    count = load.acknowledged_count()
    time.sleep(3)  # small rows may still find room in pages that were freed
    meanwhile = load.acknowledged_count() - count
    assert set(loaded.refused_since(began)) == {503}
    (disk / "ballast").unlink()
    loaded.back(time.monotonic())
    loaded.prove(disk_mib=DISK, acknowledged_meanwhile=meanwhile)
    loaded.service.stop()
