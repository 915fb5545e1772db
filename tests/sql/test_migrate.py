"""penstock-migrate on a scratch server.

PENSTOCK_TEST_SERVER: conninfo of a server on which databases may be created.
PENSTOCK_BUILD: the build folder, "build" in the project's root if not set.
"""
import os
import pathlib
import subprocess
import threading

import psycopg2
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))


@pytest.fixture
def database(empty_database):
    return empty_database


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "migrations"
    path.mkdir()
    (path / "0001_create_a.sql").write_text("CREATE TABLE a (x int);\n")
    (path / "0002_create_b.sql").write_text(
        "CREATE TABLE b (x int);\nINSERT INTO b VALUES (1), (2);\n")
    return path


def migrate(database, folder, *options):
    env = dict(os.environ, PENSTOCK_DATABASE_URL=database)
    return subprocess.run(
        [BUILD / "src/cmd/penstock-migrate", "--dir", folder, *options],
        env=env, capture_output=True, text=True, timeout=60)


def ask(database, sql):
    with psycopg2.connect(database) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()


def versions(database):
    return [row[0] for row in ask(
        database, "SELECT version FROM schema_migrations ORDER BY version")]


def test_our_migrations_apply_once(database):
    count = len(list((ROOT / "sql/migrations").glob("*.sql")))
    first = migrate(database, ROOT / "sql/migrations")
    assert first.returncode == 0, first.stderr
    assert versions(database) == list(range(1, count + 1))
    again = migrate(database, ROOT / "sql/migrations")
    assert again.returncode == 0, again.stderr
    assert f"{count} migrations, 0 of them new" in again.stdout
    assert versions(database) == list(range(1, count + 1))


def test_a_later_file_is_added(database, folder):
    assert migrate(database, folder).returncode == 0
    (folder / "0003_add_y.sql").write_text("ALTER TABLE a ADD y int;\n")
    run = migrate(database, folder)
    assert run.returncode == 0, run.stderr
    assert "applied 0003_add_y.sql" in run.stdout
    assert "0001" not in run.stdout
    assert versions(database) == [1, 2, 3]


def test_status_changes_nothing(database, folder):
    before = migrate(database, folder, "--status")
    assert before.returncode == 0, before.stderr
    assert before.stdout.count("pending") == 2
    assert ask(database, "SELECT to_regclass('schema_migrations')") == [(None,)]
    migrate(database, folder)
    after = migrate(database, folder, "--status")
    assert "pending" not in after.stdout
    assert len(after.stdout.splitlines()) == 2


def test_a_changed_file_is_refused(database, folder):
    migrate(database, folder)
    (folder / "0001_create_a.sql").write_text("CREATE TABLE a (x int8);\n")
    (folder / "0003_create_c.sql").write_text("CREATE TABLE c (x int);\n")
    for options in ((), ("--status",)):
        run = migrate(database, folder, *options)
        assert run.returncode != 0
        assert "0001_create_a.sql" in run.stderr
        assert "changed" in run.stderr
    assert versions(database) == [1, 2]


def test_a_vanished_file_is_refused(database, folder):
    migrate(database, folder)
    (folder / "0002_create_b.sql").unlink()
    run = migrate(database, folder)
    assert run.returncode != 0
    assert "0002_create_b.sql" in run.stderr


def test_a_renamed_file_is_refused(database, folder):
    migrate(database, folder)
    (folder / "0002_create_b.sql").rename(folder / "0002_make_b.sql")
    run = migrate(database, folder)
    assert run.returncode != 0
    assert "0002_make_b.sql" in run.stderr


@pytest.mark.parametrize("name, word", [
    ("0004_create_d.sql", "missing"),
    ("0002_create_bb.sql", "double"),
    ("12_create.sql", "NNNN"),
    ("0003-create.sql", "NNNN"),
])
def test_a_bad_folder_is_refused_before_anything_runs(
        database, folder, name, word):
    (folder / name).write_text("SELECT 1;\n")
    run = migrate(database, folder)
    assert run.returncode != 0
    assert word in run.stderr
    assert ask(database, "SELECT to_regclass('a')") == [(None,)]


def test_a_row_missing_in_the_database_is_refused(database, folder):
    migrate(database, folder)
    with psycopg2.connect(database) as connection:
        connection.cursor().execute(
            "DELETE FROM schema_migrations WHERE version = 1")
    run = migrate(database, folder)
    assert run.returncode != 0
    assert "0001_create_a.sql" in run.stderr


def test_a_failing_file_leaves_nothing(database, folder):
    (folder / "0003_create_c.sql").write_text(
        "CREATE TABLE c (x int);\nSELECT no_such_column FROM c;\n")
    run = migrate(database, folder)
    assert run.returncode != 0
    assert "0003_create_c.sql" in run.stderr
    assert "no_such_column" in run.stderr
    assert versions(database) == [1, 2]
    assert ask(database, "SELECT to_regclass('c')") == [(None,)]


def test_a_file_that_ends_the_transaction_is_refused(database, folder):
    (folder / "0003_create_c.sql").write_text("SELECT 1; COMMIT;\n")
    run = migrate(database, folder)
    assert run.returncode != 0
    assert "transaction" in run.stderr
    assert versions(database) == [1, 2]


def test_two_at_once_apply_once(database, folder):
    (folder / "0003_wait_a_little.sql").write_text("SELECT pg_sleep(0.5);\n")
    runs = []
    threads = [threading.Thread(
        target=lambda: runs.append(migrate(database, folder)))
        for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.returncode for run in runs] == [0, 0, 0], runs
    assert sum(run.stdout.count("applied ") for run in runs) == 3
    assert ask(database, "SELECT count(*) FROM b") == [(2,)]


def test_no_server_is_told(folder):
    run = migrate("host=/nonexistent dbname=x", folder)
    assert run.returncode != 0
    assert "/nonexistent" in run.stderr


def test_no_folder_is_told(database, tmp_path):
    run = migrate(database, tmp_path / "nothing")
    assert run.returncode != 0
    assert "nothing" in run.stderr
