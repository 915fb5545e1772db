"""A connection to the migrated scratch database; every test is undone."""
import os
import secrets

import psycopg2
import psycopg2.extensions
import pytest

from scratch import Database


@pytest.fixture(scope="session")
def conninfo():
    value = os.environ.get("PENSTOCK_TEST_DATABASE")
    if not value:
        pytest.skip("PENSTOCK_TEST_DATABASE is not set")
    return value


@pytest.fixture
def empty_database():
    """The conninfo of a database of the test's own, dropped afterwards."""
    server = os.environ.get("PENSTOCK_TEST_SERVER")
    if not server:
        pytest.skip("PENSTOCK_TEST_SERVER is not set")
    name = "penstock_test_" + secrets.token_hex(6)
    admin = psycopg2.connect(server)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield psycopg2.extensions.make_dsn(server, dbname=name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def db(conninfo):
    connection = psycopg2.connect(conninfo)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
        yield Database(connection)
    finally:
        connection.rollback()
        connection.close()
