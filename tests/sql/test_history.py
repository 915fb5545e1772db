"""Pages and buckets of readings against the same sums made in Python."""
import datetime as dt
import json
import random
from zoneinfo import ZoneInfo

import pytest

UTC = dt.timezone.utc
START = dt.datetime(2026, 3, 26, tzinfo=UTC)  # Rome loses an hour on the 29th
DAYS = 6
LOGGED = START + dt.timedelta(days=DAYS)
SERIES = 2000000007  # no row of `series` is needed
KINDS = {"5m": ("5 minutes", "span"), "15m": ("15 minutes", "span"),
         "1h": ("1 hour", "hour"), "6h": ("6 hours", "quarter"),
         "1d": ("1 day", "day"), "1w": ("7 days", "week"),
         "1mo": ("1 month", "month")}
ZONES = ["UTC", "Europe/Rome", "Asia/Kathmandu", "America/New_York",
         "Australia/Lord_Howe"]


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def put_segment(db, readings):
    ts, value, quality = (list(c) for c in zip(*sorted(readings)))
    db.sql("INSERT INTO segments VALUES (%s, 1, %s, %s, %s, packed_from("
           "%s, %s, %s::int2[], %s))", SERIES, ts[0], ts[-1], len(ts), ts,
           value, quality, ts)
    for width in (300, 3600, 86400):
        db.sql("""
            INSERT INTO rollups SELECT %s, %s, to_timestamp(b), count(*),
                count(*) FILTER (WHERE q = 0),
                coalesce(sum(v) FILTER (WHERE q = 0), 0),
                coalesce(min(v) FILTER (WHERE q = 0), 'infinity'),
                coalesce(max(v) FILTER (WHERE q = 0), '-infinity'), 0,
                min(t), 0, max(t), 0
            FROM unnest(%s::timestamptz[], %s::float8[], %s::int[])
                AS u(t, v, q),
                LATERAL (SELECT floor(extract(epoch FROM t) / %s) * %s AS b) x
            GROUP BY b ON CONFLICT (series, width_s, bucket) DO UPDATE
            SET n = rollups.n + excluded.n, good = rollups.good + excluded.good,
                sum = rollups.sum + excluded.sum,
                min = least(rollups.min, excluded.min),
                max = greatest(rollups.max, excluded.max)""",
               SERIES, width, ts, value, quality, width, width)


def put_log(db, readings, series=SERIES):
    ts, value, quality = (list(c) for c in zip(*readings))
    db.sql("INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts,"
           " value, quality) VALUES (now(), %s, %s, %s, %s, %s, %s::int2[])",
           min(ts), max(ts), [series] * len(ts), ts, value, quality)


@pytest.fixture
def stored(db):
    """{time: (value, quality)} as they count: the first one stays."""
    rng = random.Random(1)
    all_ = {}
    db.sql("SELECT segments_ensure(1::int2, %s), segments_ensure(1::int2, %s)",
           START, LOGGED)
    for day in range(DAYS):
        rows = [(START + dt.timedelta(days=day, minutes=10 * i),
                 float(rng.randint(0, 100)), int(rng.random() < .1))
                for i in range(144)]
        put_segment(db, rows[0::2])
        put_segment(db, rows[1::2])
        all_ |= {t: (v, q) for t, v, q in rows}
    new = [(LOGGED + dt.timedelta(minutes=10 * i), 5.0 + i, i % 2)
           for i in range(3)]
    put_log(db, new[:2] + [(START, 999.0, 0)])  # a segment has that time
    put_log(db, [(LOGGED, 77.0, 0), new[2]])  # the log has it already
    put_log(db, [(LOGGED, 78.0, 0)], series=SERIES + 1)
    return all_ | {t: (v, q) for t, v, q in new}


def buckets(db, kind, zone, start, end, agg="{avg,min,max,sum,count}"):
    step, word = KINDS[kind]
    items, lo, hi, width = db.run("readings_buckets", str(SERIES), start, end,
                                  step, word, zone, agg)[0]
    return json.loads(items), instant(lo), instant(hi), width


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_buckets(db, stored, kind, zone):
    start = START + dt.timedelta(hours=7, minutes=3)
    end = LOGGED + dt.timedelta(minutes=15)
    items, lo, hi, _ = buckets(db, kind, zone, start, end)
    assert lo <= start and hi >= end
    starts = [instant(i["ts"]) for i in items]
    assert starts == sorted(starts) and lo <= starts[0]
    left = {t: r for t, r in stored.items() if lo <= t < hi}
    for item, begin, after in zip(items, starts, starts[1:] + [hi]):
        local = begin.astimezone(ZoneInfo(zone))
        assert local.utcoffset() == begin.utcoffset(), item
        if kind in ("6h", "1d", "1w", "1mo"):
            assert (local.minute, local.hour % 6) == (0, 0), item
        mine = [left.pop(t) for t in sorted(left) if begin <= t < after]
        good = [v for v, q in mine if q == 0]
        assert (item["count"], item["good"]) == (len(mine), len(good))
        assert item["min"] == min(good, default=None)
        assert item["max"] == max(good, default=None)
        assert item["sum"] == (pytest.approx(sum(good)) if good else None)
        assert item["avg"] == (pytest.approx(sum(good) / len(good))
                               if good else None)
    assert not left, "readings in no bucket"


def test_days_of_23_and_25_hours(db, stored):
    items, *_ = buckets(db, "1d", "Europe/Rome", START, LOGGED)
    counts = {i["ts"]: i["count"] for i in items}
    assert counts["2026-03-28T00:00:00+01:00"] == 144
    assert counts["2026-03-29T00:00:00+01:00"] == 138
    assert counts["2026-03-30T00:00:00+02:00"] == 144
    db.sql("SELECT segments_ensure(1::int2, '2025-10-26')")
    first = dt.datetime(2025, 10, 25, 22, tzinfo=UTC)
    rows = [(first + dt.timedelta(minutes=10 * i), 1.0, 0) for i in range(150)]
    put_segment(db, rows[:12])  # a segment never leaves its UTC day
    put_segment(db, rows[12:])
    items, *_ = buckets(db, "1d", "Europe/Rome", first, rows[-1][0])
    assert [(i["ts"], i["count"]) for i in items] == [
        ("2025-10-26T00:00:00+02:00", 150)]


def test_widest_rollup_that_fits_is_taken(db, stored):
    end = LOGGED
    for kind, zone, width in [("1d", "UTC", 86400), ("1d", "Europe/Rome", 3600),
                              ("1d", "Asia/Kathmandu", 300), ("1h", "UTC", 3600),
                              ("15m", "UTC", 300)]:
        assert buckets(db, kind, zone, START, end)[3] == width, (kind, zone)


def test_only_what_was_asked(db, stored):
    items, *_ = buckets(db, "1d", "UTC", START, LOGGED, "{max}")
    assert set(items[0]) == {"ts", "good", "max"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_buckets_of_nothing(db, kind):
    assert buckets(db, kind, "Europe/Rome", START, LOGGED)[0] == []


def test_unknown_zone_is_refused(db):
    import psycopg2
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        buckets(db, "1d", "Nowhere/Land", START, LOGGED)


@pytest.mark.parametrize("limit", [7, 100, 144, 145, 10000])
def test_pages(db, stored, limit):
    start = START + dt.timedelta(hours=5, minutes=1)
    end = LOGGED + dt.timedelta(minutes=15)
    seen, after = [], None
    while True:
        items, after = db.run("readings_page", str(SERIES), start, end,
                              str(limit), after)[0]
        items = json.loads(items)
        assert len(items) <= limit
        seen += [(instant(i["ts"]), i["value"], i["quality"]) for i in items]
        if after is None:
            break
        assert len(items) == limit
        after = dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(
            microseconds=after)
    assert seen == [(t, v, "suspect" if q else "good")
                    for t, (v, q) in sorted(stored.items())
                    if start <= t < end]


def test_page_of_nothing(db):
    assert db.run("readings_page", str(SERIES), START, LOGGED, "10",
                  None) == [("[]", None)]
