"""Buckets of readings against the same sums made in Python."""
import datetime as dt
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


def put_readings(db, ts, value, quality):
    db.sql("INSERT INTO segments SELECT %s, 1, %s, %s, %s, packed_from("
           "%s::timestamptz[], %s::float8[], %s::int2[], %s::timestamptz[])",
           SERIES, ts[0], ts[-1], len(ts), ts, value, quality, ts)


def put_open(db, readings):
    """Good ones of the newest 5 minutes."""
    ts, value, quality = (list(c) for c in zip(*readings))
    put_readings(db, ts, value, quality)
    db.sql("INSERT INTO rollups_open VALUES (%s, date_bin('5 min', %s,"
           " 'epoch'), %s, %s, %s, %s, %s, 0, %s, 0, %s, 0)", SERIES, ts[0],
           len(ts), len(ts), sum(value), min(value), max(value), ts[0], ts[-1])


def put_segment(db, readings):
    ts, value, quality = (list(c) for c in zip(*sorted(readings)))
    put_readings(db, ts, value, quality)
    for width in (300, 3600, 86400):
        db.sql("""
            INSERT INTO rollups_fresh AS r SELECT %s, %s, to_timestamp(b), count(*),
                count(*) FILTER (WHERE q = 0),
                coalesce(sum(v) FILTER (WHERE q = 0), 0),
                coalesce(min(v) FILTER (WHERE q = 0), 'infinity'),
                coalesce(max(v) FILTER (WHERE q = 0), '-infinity'), 0,
                min(t), 0, max(t), 0
            FROM unnest(%s::timestamptz[], %s::float8[], %s::int[])
                AS u(t, v, q),
                LATERAL (SELECT floor(extract(epoch FROM t) / %s) * %s AS b) x
            GROUP BY b ON CONFLICT (series, width_s, bucket) DO UPDATE
            SET n = r.n + excluded.n, good = r.good + excluded.good,
                sum = r.sum + excluded.sum,
                min = least(r.min, excluded.min),
                max = greatest(r.max, excluded.max)""",
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
    rows = [(LOGGED - dt.timedelta(minutes=8 + i), 103.0 + i, 0)
            for i in (1, 0)]
    put_open(db, rows)
    all_ |= {t: (v, q) for t, v, q in rows}
    new = [(LOGGED + dt.timedelta(minutes=10 * i), 5.0 + i, i % 2)
           for i in range(3)]
    put_log(db, new[:2] + [(START, 999.0, 0)])  # a segment has that time
    put_log(db, [(LOGGED, 77.0, 0), new[2]])  # the log has it already
    put_log(db, [(LOGGED, 78.0, 0)], series=SERIES + 1)
    return all_ | {t: (v, q) for t, v, q in new}


NAMES = ("n", "good", "sum", "min", "max")


def ask(db, kind, zone, start, end, series=(SERIES,), bounds_alone=False):
    """Bounds as (ts, stamp), {(series, bound): sums}, width."""
    step, word = KINDS[kind]
    rows = db.run("readings_buckets", list(series), start, end, step, word,
                  zone, bounds_alone, None)
    bounds = [r for r in rows if r[0] is None]
    assert [r[1] for r in bounds] == list(range(1, len(bounds) + 1))
    assert rows[:len(bounds)] == bounds, "bounds stand first"
    sums = {(r[0], r[1] - 1): dict(zip(NAMES, r[4:])) for r in rows
            if r[0] is not None}
    assert len(sums) == len(rows) - len(bounds), "a bucket is there once"
    return [(r[2], r[3]) for r in bounds], sums, bounds[0][4]


def buckets(db, kind, zone, start, end):
    """Buckets that hold something, as (begin, end, stamp, sums)."""
    bounds, sums, width = ask(db, kind, zone, start, end)
    return [(bounds[i][0], bounds[i + 1][0], bounds[i][1], s)
            for (_, i), s in sorted(sums.items())], bounds, width


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_buckets(db, stored, kind, zone):
    start = START + dt.timedelta(hours=7, minutes=3)
    end = LOGGED + dt.timedelta(minutes=15)
    items, bounds, width = buckets(db, kind, zone, start, end)
    assert width is not None
    lo, hi = bounds[0][0], bounds[-1][0]
    assert bounds[0][0] <= start < bounds[1][0]
    assert bounds[-2][0] < end <= bounds[-1][0]
    left = {t: r for t, r in stored.items() if lo <= t < hi}
    for begin, after, stamp, sums in items:
        assert instant(stamp) == begin
        local = begin.astimezone(ZoneInfo(zone))
        assert local.utcoffset() == instant(stamp).utcoffset(), stamp
        if kind in ("6h", "1d", "1w", "1mo"):
            assert (local.minute, local.hour % 6) == (0, 0), stamp
        mine = [left.pop(t) for t in sorted(left) if begin <= t < after]
        good = [v for v, q in mine if q == 0]
        assert (sums["n"], sums["good"]) == (len(mine), len(good))
        assert sums["min"] == min(good, default=None)
        assert sums["max"] == max(good, default=None)
        assert sums["sum"] == pytest.approx(sum(good))
    assert not left, "readings in no bucket"


def test_days_of_23_and_25_hours(db, stored):
    items, *_ = buckets(db, "1d", "Europe/Rome", START, LOGGED)
    counts = {stamp: sums["n"] for _, _, stamp, sums in items}
    assert counts["2026-03-28T00:00:00+01:00"] == 144
    assert counts["2026-03-29T00:00:00+01:00"] == 138
    assert counts["2026-03-30T00:00:00+02:00"] == 144
    db.sql("SELECT segments_ensure(1::int2, '2025-10-26')")
    first = dt.datetime(2025, 10, 25, 22, tzinfo=UTC)
    rows = [(first + dt.timedelta(minutes=10 * i), 1.0, 0) for i in range(150)]
    put_segment(db, rows[:12])  # a segment never leaves its UTC day
    put_segment(db, rows[12:])
    items, *_ = buckets(db, "1d", "Europe/Rome", first, rows[-1][0])
    assert [(stamp, sums["n"]) for _, _, stamp, sums in items] == [
        ("2025-10-26T00:00:00+02:00", 150)]


def test_widest_rollup_that_fits_is_taken(db, stored):
    end = LOGGED
    for kind, zone, width in [("1d", "UTC", 86400), ("1d", "Europe/Rome", 3600),
                              ("1d", "Asia/Kathmandu", 300), ("1h", "UTC", 3600),
                              ("15m", "UTC", 300)]:
        assert buckets(db, kind, zone, START, end)[2] == width, (kind, zone)


@pytest.mark.parametrize("more", [0, 20])  # picked by place, or unpacked
def test_each_series_on_its_own(db, stored, more):
    others = [SERIES + 2, SERIES + 1, SERIES] + [
        SERIES + 100 + i for i in range(more)]
    put_log(db, [(LOGGED + dt.timedelta(seconds=i % 12), 1.0, 0)
                 for i in range(24)], series=SERIES + 2)
    bounds, sums, _ = ask(db, "1d", "UTC", START, LOGGED + dt.timedelta(
        minutes=1), series=others)
    day = len(bounds) - 2
    assert {k for k in sums if k[0] != SERIES} == {
        (SERIES + 1, day), (SERIES + 2, day)}
    assert sums[SERIES + 1, day]["sum"] == 78
    assert sums[SERIES + 2, day]["n"] == 12
    assert [sums[SERIES, i]["n"] for i in range(DAYS)] == \
        [144] * (DAYS - 1) + [146]


def test_bounds_alone(db, stored):
    bounds, sums, _ = ask(db, "1d", "Europe/Rome", START, LOGGED,
                          bounds_alone=True)
    assert not sums
    assert [b for b, _ in bounds] == [
        b for b, _ in ask(db, "1d", "Europe/Rome", START, LOGGED)[0]]


def test_no_rollup_fits_an_odd_zone(db, stored):
    """Dublin was 25 minutes and 21 seconds behind until 1916."""
    start = dt.datetime(1910, 1, 1, tzinfo=UTC)
    bounds, sums, width = ask(db, "1d", "Europe/Dublin", start,
                              start + dt.timedelta(days=3))
    assert (sums, width) == ({}, None)
    assert bounds[1][0] == start + dt.timedelta(minutes=25, seconds=21)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_buckets_of_nothing(db, kind):
    assert buckets(db, kind, "Europe/Rome", START, LOGGED)[0] == []


def test_unknown_zone_is_refused(db):
    import psycopg2
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        buckets(db, "1d", "Nowhere/Land", START, LOGGED)


BEFORE = [  # before LOGGED + minutes: hour of the last good, log's last good
    (11, LOGGED - dt.timedelta(hours=1), LOGGED),
    (0, LOGGED - dt.timedelta(hours=1), START),
]


@pytest.mark.parametrize("minutes, bucket, logged", BEFORE)
def test_where_the_last_good_one_is(db, stored, minutes, bucket, logged):
    at = LOGGED + dt.timedelta(minutes=minutes)
    assert db.run("range_before", str(SERIES), at) == [(bucket, logged)]


def test_nothing_good_before_the_first(db, stored):
    assert db.run("range_before", str(SERIES), START) == [(None, None)]


def newest(db, ids):
    return {r[0]: (r[1], r[2]) for r in db.run("latest_by_series", ids)}


@pytest.mark.parametrize("others", [0, 20])  # picked by place, or unpacked
def test_latest_of_log_and_merged(db, stored, others):
    """The first one stored of the newest time, whatever lies where."""
    ids = [SERIES + i for i in range(5)] + [
        SERIES + 100 + i for i in range(others)]
    at = LOGGED + dt.timedelta(hours=1)
    for i, t in ((1, at), (3, START)):
        db.sql("INSERT INTO series_latest VALUES (%s, %s, 1, 0, %s)",
               SERIES + i, t, t)
    put_log(db, [(at, 2.0, 0)], series=SERIES + 1)
    many = [(at + dt.timedelta(seconds=-abs(5 - i)), float(i), 0)
            for i in range(20)]
    put_log(db, many + [(at, 99.0, 0)], series=SERIES + 2)
    put_log(db, [(START, 3.0, 0), (at, 4.0, 0), (at, 5.0, 0)],
            series=SERIES + 3)
    assert newest(db, ids) == {
        SERIES: (LOGGED + dt.timedelta(minutes=20), 7.0),
        SERIES + 1: (at, 1.0), SERIES + 2: (at, 5.0), SERIES + 3: (at, 4.0)}
