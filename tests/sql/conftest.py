"""A connection to the migrated scratch database; every test is undone."""
import os

import psycopg2
import pytest

from scratch import Database


@pytest.fixture(scope="session")
def conninfo():
    value = os.environ.get("PENSTOCK_TEST_DATABASE")
    if not value:
        pytest.skip("PENSTOCK_TEST_DATABASE is not set")
    return value


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
