"""A look-up of some readings opens the partitions they may be in, however many
there are, and no other; and these by their index."""
import collections
import re
import threading
import time

import psycopg2
import pytest

from scratch import prepare

SERIES = "'{1,2,3}'"
LO = "'{2026-01-04 04:00Z,2026-02-06Z,2026-01-05 03:00Z}'"
HI = "'{2026-01-06 09:00Z,2026-02-07Z,2026-01-05 09:00Z}'"
LOOKUPS = {
    "lookup_packed": [SERIES, LO, HI, "1000"],
    "cycle_known": [SERIES, "'{1,1,1}'",
                    "'{2026-01-01Z,2026-02-01Z,2026-01-01Z}'", LO, HI],
}


@pytest.fixture
def months(db):
    """Three days of three series in each of two months, among 120 months."""
    db.sql("SET timezone = 'UTC'")
    db.sql("SELECT segments_ensure(c::int2, timestamptz '2020-01-05Z' + m *"
           " interval '1 month') FROM generate_series(1, 3) c,"
           " generate_series(0, 119) m")
    db.sql("""INSERT INTO segments
        SELECT s, 1, d, d + interval '5 h', 6, packed_from(
            array_agg(d + i * interval '1 h' ORDER BY i),
            array_agg(i::float8 ORDER BY i), array_agg(0::int2),
            array_agg(d))
        FROM generate_series(1, 3) s, unnest('{2026-01-04Z,2026-01-05Z,
            2026-01-06Z,2026-02-05Z,2026-02-06Z,2026-02-07Z}'::timestamptz[])
            AS d, generate_series(0, 5) i
        GROUP BY s, d""")
    return db


def plans(db, statement):
    """What auto_explain says of it and of the functions it calls."""
    db.sql("LOAD 'auto_explain'")
    db.sql("SET auto_explain.log_min_duration = 0;"
           "SET auto_explain.log_nested_statements = on;"
           "SET auto_explain.log_level = notice")
    db.connection.notices = collections.deque()  # a list keeps the last 50
    db.sql(statement)
    db.sql("SET auto_explain.log_min_duration = -1")
    return "".join(db.connection.notices)


@pytest.mark.parametrize("name", sorted(LOOKUPS))
def test_few_partitions_of_many(months, name):
    db = months
    db.sql(prepare(name))
    execute = f"EXECUTE test_{name}({', '.join(LOOKUPS[name])})"
    for _ in range(7):  # more than the times that a plan is made anew
        assert sorted(row[0] for row in db.sql(execute)) == [1, 1, 1, 2, 2, 3]
    found = re.findall(r"(\w+ Scan)(?: using \w+)? on (segments_\d\w+)",
                       plans(db, execute))
    assert sorted(found) == [("Index Scan", "segments_1_202601"),
                             ("Index Scan", "segments_1_202602")]


def test_buckets_open_the_partitions_of_what_is_logged(months):
    """Of readings that the log has, and the segments may have too."""
    db = months
    db.sql("""INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts,
            value, quality) VALUES (now(), '2026-01-05 02:00Z',
        '2026-02-06 01:00Z', '{1,1,2}',
        '{2026-01-05 02:00Z,2026-01-05 02:30Z,2026-02-06 01:00Z}', '{7,8,9}',
        '{0,0,0}')""")
    db.sql(prepare("readings_buckets"))
    execute = (f"EXECUTE test_readings_buckets({SERIES}, '2026-01-01Z',"
               " '2026-03-01Z', '1 day', 'day', 'UTC', false, NULL)")
    for _ in range(7):
        assert [(row[0], row[4], row[6]) for row in db.sql(execute)
                if row[0] is not None] == [(1, 1, 8.0)]
    found = re.findall(r"(\w+ Scan)(?: using \w+)? on (segments_\d\w+)",
                       plans(db, execute))
    assert sorted(found) == [("Index Scan", "segments_1_202601"),
                             ("Index Scan", "segments_1_202602")]


SERIES_ID = 910191  # nobody else's
HELD = 910192  # an advisory lock: who plans waits for it
COUNT = f"""SELECT (SELECT count(*) FROM ingest_log
        WHERE series = '{{{SERIES_ID}}}') + (SELECT count(*) FROM segments
        WHERE series = {SERIES_ID} AND t0 > pg_temp.held())"""
FILL = f"""INSERT INTO segments VALUES ({SERIES_ID}, 1, '1991-02-05Z',
        '1991-02-05Z', 1, packed_from('{{1991-02-05Z}}', '{{1}}', '{{0}}',
        '{{1991-02-05Z}}'));
    DELETE FROM ingest_log WHERE series = '{{{SERIES_ID}}}'"""


class Session:
    """A connection of its own."""

    def __init__(self, conninfo):
        self.connection = psycopg2.connect(conninfo)
        self.connection.autocommit = True
        self.pid = self.connection.info.backend_pid

    def sql(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else None

    def one(self, text):
        return self.sql(text)[0][0]


class Reader(Session):
    """Counts what log and segments have of the series, and is held up when it
    has planned that, but for its snapshot."""

    def __init__(self, conninfo, keeper):
        super().__init__(conninfo)
        self.keeper = keeper
        self.count = None
        self.sql(f"""CREATE FUNCTION pg_temp.held() RETURNS timestamptz
            LANGUAGE plpgsql STABLE AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock_shared({HELD});
                RETURN '-infinity';
            END $$""")

    def read(self):
        self.count = self.one(COUNT)

    def __enter__(self):
        self.keeper.sql(f"SELECT pg_advisory_lock({HELD})")
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        while not self.keeper.sql("SELECT 1 FROM pg_locks WHERE NOT"
                                  f" granted AND pid = {self.pid}"):
            assert self.thread.is_alive()
            time.sleep(.01)
        return self

    def __exit__(self, *_):
        self.keeper.sql(f"SELECT pg_advisory_unlock({HELD})")
        self.thread.join()


CLEAR = f"""DROP TABLE IF EXISTS segments_1_199101, segments_1_199102;
    DELETE FROM ingest_log WHERE series = '{{{SERIES_ID}}}'"""


@pytest.fixture
def logged(conninfo):
    """A reading of a month without a partition, in the log."""
    keeper = Session(conninfo)
    keeper.sql(CLEAR)
    keeper.sql("SELECT segments_ensure(1::int2, '1991-01-05Z')")
    keeper.sql(f"""INSERT INTO ingest_log (received_at, min_ts, max_ts, series,
        ts, value, quality) VALUES (now(), '1991-02-05Z', '1991-02-05Z',
        '{{{SERIES_ID}}}', '{{1991-02-05Z}}', '{{1}}', '{{0}}')""")
    yield keeper
    keeper.sql(CLEAR)
    keeper.connection.close()


def test_who_planned_before_misses_what_is_filled_at_once(conninfo, logged):
    with Reader(conninfo, logged) as reader:
        logged.sql("BEGIN; SELECT segments_ensure(1::int2, '1991-02-05Z');"
                   f"{FILL}; COMMIT")
    assert reader.count == 0
    with reader:
        pass
    assert reader.count == 1


def test_who_planned_before_is_waited_for(conninfo, logged):
    with Reader(conninfo, logged) as reader:
        logged.sql("SELECT segments_make(1::int2, '1991-02-05Z')")
        assert logged.one("SELECT segments_await(0, '20 ms')") is False
        assert logged.one(f"SELECT segments_await({reader.pid}, '0')") is True
    assert reader.count == 1
    assert logged.one("SELECT segments_await(0, '60 s')") is True
    logged.sql(f"BEGIN; {FILL}; COMMIT")
    with reader:
        pass
    assert reader.count == 1


def test_who_planned_after_is_not_waited_for(conninfo, logged):
    logged.sql("SELECT segments_make(1::int2, '1991-02-05Z')")
    with Reader(conninfo, logged) as reader:
        logged.sql(f"BEGIN; {FILL}; COMMIT")
    assert reader.count == 1
