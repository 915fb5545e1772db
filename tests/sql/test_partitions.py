"""A look-up of some readings opens the partitions they may be in, however many
there are, and no other; and these by their index."""
import collections
import re

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
