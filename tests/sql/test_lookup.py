"""Readings are found in a log that has become long."""
import json

from scratch import prepare

ROWS, READINGS = 200, 2000


def test_few_of_many_readings_come_into_a_sort(db):
    # The first two rows have the keys asked for: the first one counts.
    db.sql(f"""INSERT INTO ingest_log
        (received_at, min_ts, max_ts, series, ts, value, quality)
        SELECT now(), min(ts), max(ts), array_agg(1 + i % 7 ORDER BY i),
            array_agg(ts ORDER BY i), array_agg(i + row / 1000.0 ORDER BY i),
            array_agg(0::int2 ORDER BY i)
        FROM generate_series(1, {ROWS}) AS row,
            generate_series(1, {READINGS}) AS i,
            LATERAL (SELECT timestamptz '2026-01-05Z' +
                i * interval '1 s' + row / 3 * interval '1 ms' AS ts) t
        GROUP BY row ORDER BY row""")
    db.sql("SET statement_timeout = '20s'")
    db.sql(prepare("lookup_log"))
    db.sql(f"""CREATE TEMP TABLE keys AS SELECT
        array_agg(1 + i % 7 ORDER BY i) AS series,
        array_agg(timestamptz '2026-01-05Z' + i * interval '1 s'
            ORDER BY i) AS ts
        FROM generate_series(1, {READINGS}) AS i""")
    keys = ", ".join(f"'{db.sql(f'SELECT {c}::text FROM keys')[0][0]}'"
                     for c in ("series", "ts"))
    plan = db.sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "
                  f"EXECUTE test_lookup_log({keys})")[0][0]
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    assert top["Temp Written Blocks"] == 0, plan
    found = db.sql(f"EXECUTE test_lookup_log({keys})")
    assert len(found) == READINGS
    assert {round(value - ord, 3) for ord, value in found} == {0.001}
