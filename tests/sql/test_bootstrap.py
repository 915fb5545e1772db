"""penstock-bootstrap on a scratch server; environment as test_migrate.py."""
import os
import pathlib
import stat
import subprocess
import threading

import psycopg2
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(
    os.environ.get("PENSTOCK_BUILD", ROOT / "build")) / "src/cmd"


@pytest.fixture
def database(empty_database):
    subprocess.run([PROGRAMS / "penstock-migrate", "--dir",
                    ROOT / "sql/migrations", "--database", empty_database],
                   check=True, capture_output=True, timeout=60)
    return empty_database


def bootstrap(database, path, **env):
    return subprocess.run(
        [PROGRAMS / "penstock-bootstrap", "--password-file", path],
        env={**os.environ, "PENSTOCK_DATABASE_URL": database, **env},
        capture_output=True, text=True, timeout=60)


def users(database):
    with psycopg2.connect(database) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT username, role, password_hash FROM users")
        return cursor.fetchall()


def test_first_admin_once(database, tmp_path):
    path = tmp_path / "password"
    old = os.umask(0)
    try:
        first = bootstrap(database, path)
    finally:
        os.umask(old)
    assert first.returncode == 0, first.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    password = path.read_text().strip()
    assert len(password) >= 20
    assert password in first.stdout
    assert list(tmp_path.iterdir()) == [path]
    (username, role, kept), = users(database)
    assert (username, role) == ("admin", "admin")
    assert kept.startswith("$argon2id$")
    assert password not in kept

    again = bootstrap(database, tmp_path / "other")
    assert again.returncode == 0, again.stderr
    assert "password" not in again.stdout
    assert not (tmp_path / "other").exists()
    assert users(database) == [(username, role, kept)]


def test_two_at_once_make_one(database, tmp_path):
    runs = []
    threads = [threading.Thread(target=lambda i=i: runs.append(
        bootstrap(database, tmp_path / str(i)))) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(users(database)) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_no_folder_no_user(database, tmp_path):
    run = bootstrap(database, tmp_path / "missing" / "password")
    assert run.returncode != 0
    assert "missing" in run.stderr
    assert users(database) == []
