"""penstock-archive on a database of its own: months to Avro files and back.

The files are read by Debian's Python library for Avro, not by ours."""
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import avro.datafile
import avro.io
import psycopg2
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))
PROGRAM = BUILD / "src/cmd/penstock-archive"
UTC = datetime.timezone.utc
MONTH = datetime.datetime(2025, 3, 1, tzinfo=UTC)
NEXT = datetime.datetime(2025, 4, 1, tzinfo=UTC)

# Two series with a reading every half hour, day by day; one with a reading
# every 6 hours, a row for the whole month; each in its own class but two.
FILL = """
INSERT INTO nodes (code, type, change) VALUES ('N1', 'junction', 0),
    ('N2', 'tank', 0);
INSERT INTO series (node_id, metric_id, unit, kind, change)
SELECT n.id, m.id, m.unit, m.kind, 0 FROM nodes n, metrics m
WHERE (n.code, m.code) IN (('N1', 'flow'), ('N2', 'level'), ('N1', 'ph'))
ORDER BY array_position('{flow,level,ph}', m.code);
CREATE FUNCTION put(wanted int, since timestamptz, until timestamptz,
    step interval, span text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	kind int2 := (SELECT m.class FROM series s
	    JOIN metrics m ON m.id = s.metric_id WHERE s.id = wanted);
BEGIN
	PERFORM segments_ensure(kind, t)
	FROM generate_series(since, until - step, '1 day') t;
	INSERT INTO segments
	SELECT wanted, kind, min(t), max(t), count(*),
	    packed_from(array_agg(t ORDER BY t),
	        array_agg((extract(epoch FROM t)::int8 / 300 % 997) / 8.0
	            + wanted ORDER BY t),
	        array_agg((extract(epoch FROM t)::int8 / 300 % 7 = 0)::int::int2
	            ORDER BY t),
	        array_agg(t + interval '1.234 s' ORDER BY t))
	FROM generate_series(since, until - step, step) t
	GROUP BY date_trunc(span, t, 'UTC');
	DELETE FROM rollups_fresh WHERE series = wanted;
	INSERT INTO rollups_fresh
	SELECT wanted, w, to_timestamp(floor(extract(epoch FROM ts) / w) * w),
	    count(*), count(*) FILTER (WHERE quality = 0),
	    coalesce(sum(value) FILTER (WHERE quality = 0), 0),
	    coalesce(min(value) FILTER (WHERE quality = 0), 'infinity'),
	    coalesce(max(value) FILTER (WHERE quality = 0), '-infinity'),
	    coalesce(sum(value * value) FILTER (WHERE quality = 0), 0),
	    min(ts), (array_agg(value ORDER BY ts))[1], max(ts),
	    (array_agg(value ORDER BY ts DESC))[1]
	FROM segments g, packed_readings(g.data), unnest('{300,3600,86400}'
	    ::int[]) w
	WHERE g.series = wanted GROUP BY 2, 3;
END $$;
SELECT put(1, '2025-03-01', '2025-04-01', '30 min', 'day'),
    put(2, '2025-03-01', '2025-04-01', '30 min', 'day'),
    put(3, '2025-03-01', '2025-04-01', '6 h', 'month');
"""
EACH = 31 * 48
READINGS = """SELECT series, ts, value, quality, received_at FROM readings
    ORDER BY series, ts"""


class Archive:
    """A database with a month of readings, and a folder for it."""

    def __init__(self, conninfo, folder):
        self.conninfo = conninfo
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("PENSTOCK_")}
        self.env.update(PENSTOCK_DATABASE_URL=conninfo,
                        PENSTOCK_ARCHIVE_DIR=str(folder))

    def sql(self, text, *args):
        connection = psycopg2.connect(self.conninfo)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET TIME ZONE 'UTC'")
                cursor.execute(text, args or None)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def run(self, *args, ok=True):
        done = subprocess.run([PROGRAM, *args], env=self.env, text=True,
                              capture_output=True, timeout=60)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    def archive(self, *args, **more):
        return self.run("run", "--before", "2026-01-01", "--grace", "0",
                        *args, **more)

    def states(self):
        return dict(self.sql("""SELECT c.code, a.state FROM archives a
            JOIN retention_classes c ON c.id = a.class"""))

    def files(self):
        return sorted(self.folder.rglob("*.avro"))


@pytest.fixture
def archive(empty_database):
    subprocess.run([BUILD / "src/cmd/penstock-migrate", "--dir",
                    ROOT / "sql/migrations", "--database", empty_database],
                   check=True, capture_output=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-archive."))
    a = Archive(empty_database, folder)
    a.sql(FILL)
    yield a
    shutil.rmtree(folder)


def records(path):
    with avro.datafile.DataFileReader(open(path, "rb"),
                                      avro.io.DatumReader()) as reader:
        return list(reader), dict(reader.meta)


def test_a_month_goes_to_files_that_others_can_read(archive):
    before = archive.sql(READINGS)
    assert len(before) == 2 * EACH + 31 * 4
    archive.archive()
    assert archive.states() == {"operational": "dropped",
                                "quality": "dropped"}
    assert archive.sql("SELECT count(*) FROM segments") == [(0,)]
    assert len(archive.files()) == 62
    found = []
    for path in archive.files():
        rows, meta = records(path)
        assert meta["avro.codec"] == b"deflate"
        day = path.parent.parent.name.removeprefix("day=")
        assert {r["ts"].date().isoformat() for r in rows} == {day}
        found += [(r["series"], r["ts"], r["value"], r["quality"],
                   r["received_at"]) for r in rows]
        manifest = json.loads((path.parent / "_manifest.json").read_text())
        data = path.read_bytes()
        assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
        assert manifest["bytes"] == len(data)
        assert manifest["rows"] == len(rows)
        assert manifest["schema_version"] == 1
        assert manifest["day"] == day
    assert sorted(found) == before
    first = records(archive.files()[0])[0][0]
    assert (first["node"], first["metric"], first["unit"]) == (
        "N1", "flow", "m3/h")
    # Roll-ups stay, and nothing is left beside the files.
    assert archive.sql("SELECT count(*) FROM rollups") != [(0,)]
    assert not list(archive.folder.rglob(".*.part"))
    assert "as recorded" in archive.run("verify")


def test_it_comes_back_and_goes_again(archive):
    before = archive.sql(READINGS)
    archive.archive()
    archive.sql("DELETE FROM segment_spans RETURNING 1")
    archive.run("restore", "--from", "2025-03-05", "--to", "2025-03-06",
                "--class", "operational")
    assert archive.states() == {"operational": "restored",
                                "quality": "dropped"}
    assert archive.sql(READINGS) == [r for r in before if r[0] in (1, 2)]
    # A row per series and day is joined as fresh ones are.
    assert archive.sql("SELECT at::date::text FROM segment_spans "
                       "WHERE monthly AND dirty") == [("2025-03-01",)]
    # The restored partition is the one that late readings find.
    archive.sql("SELECT segments_ensure(1::int2, '2025-03-10')")
    archive.archive()
    assert archive.states()["operational"] == "dropped"
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    assert archive.sql(READINGS) == before


def test_retention_says_what_is_due(archive):
    assert "nothing to archive" in archive.run("run", "--grace", "0")
    archive.sql("UPDATE retention_classes SET keep_days = 30 "
                "WHERE code = 'quality'")
    archive.run("run", "--grace", "0")
    assert archive.states() == {"quality": "dropped"}
    assert archive.sql("SELECT DISTINCT class FROM segments") == [(1,)]


@pytest.mark.parametrize("verb", ["run", "drop", "list", "verify"])
def test_a_misspelt_class_is_an_error(archive, verb):
    assert "operation is not" in archive.run(verb, "--class", "operation",
                                             ok=False)


@pytest.mark.parametrize("spoil", [
    "UPDATE rollups_fresh SET n = n + 1 WHERE series = 2 AND width_s = 3600 "
    "AND bucket = '2025-03-07 05:00Z'",
    "DELETE FROM rollups_fresh WHERE series = 3 AND width_s = 86400 "
    "AND bucket = '2025-03-31 00:00Z'",
    "UPDATE rollups_fresh SET sum = sum * (1 + 1e-6) WHERE series = 1 "
    "AND width_s = 300 AND bucket = '2025-03-01 00:30Z'",
    "INSERT INTO segments SELECT series, class, t0 + interval '1 min', t1, n,"
    " data FROM segments WHERE series = 1 ORDER BY t0 LIMIT 1",
])
def test_what_is_not_proven_is_not_dropped(archive, spoil):
    archive.sql(spoil)
    archive.archive(ok=False)
    bad, good = (("quality", "operational") if "series = 3" in spoil
                 else ("operational", "quality"))
    assert archive.states() == {bad: "writing", good: "dropped"}
    assert archive.sql("""SELECT DISTINCT c.code FROM segments g
        JOIN retention_classes c ON c.id = g.class""") == [(bad,)]


# A reading of N1's flow in March, and one of N1's ph of today.
LATE = """INSERT INTO ingest_log (received_at, min_ts, max_ts, series, ts,
        value, quality) VALUES (now(), '2025-03-09 00:01Z', now(), '{1,3}',
    ARRAY['2025-03-09 00:01Z'::timestamptz, now()], '{1,2}', '{0,0}')"""
BEGUN = "SELECT archive_begin(c, '2025-03-01') FROM unnest('{1,2}'::int2[]) c"


def seal(archive, class_id):
    return archive.sql("SELECT archive_seal(id) FROM archives "
                       "WHERE class = %s", class_id)[0][0]


def test_readings_in_the_log_hold_up_the_seal(archive):
    archive.sql(BEGUN)
    archive.sql(LATE)
    assert seal(archive, 1) == "logged"
    # The other class's reading is not of the span.
    assert seal(archive, 2) == "verified"
    assert archive.states() == {"operational": "writing",
                                "quality": "verified"}


def test_a_log_row_under_way_holds_up_the_seal(archive):
    """Neither seen in the log yet nor told of the seal."""
    archive.sql(BEGUN)
    connection = psycopg2.connect(archive.conninfo)
    try:
        connection.cursor().execute(LATE)
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            seal(archive, 1)
        connection.commit()
    finally:
        connection.close()
    assert seal(archive, 1) == "logged"


def log_late(archive, *readings):
    """As a worker logs them that may know of no archive."""
    text = (ROOT / "sql/statements/log_insert_late.sql").read_text()
    archive.sql(f"PREPARE late AS {text}; EXECUTE late (now(), %s, %s, %s, "
                "%s::timestamptz[], %s, %s)",
                min(t for _, t in readings), max(t for _, t in readings),
                [s for s, _ in readings], [t for _, t in readings],
                [1.5] * len(readings), [0] * len(readings))


@pytest.mark.parametrize("shards", [1, 4])
def test_the_log_refuses_what_is_archived(archive, shards):
    archive.sql("UPDATE shards SET n = %s", shards)
    archive.archive("--keep", "--class", "operational")
    march, april = "2025-03-09 00:01Z", "2025-04-01 00:00Z"
    for state in ("verified", "dropped"):
        assert archive.states()["operational"] == state
        with pytest.raises(psycopg2.Error) as refused:
            log_late(archive, (3, march), (1, "2025-03-31 23:59:59Z"))
        assert refused.value.pgcode == "PS503"
        if state == "verified":
            archive.run("drop", "--grace", "0")
    # The other class, and what lies beside the span, is taken.
    log_late(archive, (3, march), (1, april), (1, "2025-02-28 23:59:59Z"))
    archive.run("restore", "--from", march[:10], "--to", april[:10])
    log_late(archive, (1, march))
    assert archive.sql("""SELECT u.series, count(*) FROM ingest_log l,
        unnest(l.series, l.ts) AS u(series, ts)
        WHERE l.shard = u.series % (SELECT n FROM shards)
        GROUP BY 1 ORDER BY 1""") == [(1, 3), (3, 1)]


def test_a_change_after_the_proof_makes_the_archive_anew(archive):
    archive.archive("--keep", "--class", "quality")
    archive.sql("SELECT put(3, '2025-03-31 23:00Z', '2025-03-31 23:30Z', "
                "'30 min', 'day')")
    before = archive.sql(READINGS)
    archive.run("drop", "--grace", "0")
    assert archive.states() == {"quality": "dropped"}
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    assert archive.sql(READINGS) == before


def test_what_strays_into_a_dropped_span_is_taken_in_by_the_restore(archive):
    archive.archive("--class", "operational")
    # Merged by a loop that had not heard: a duplicate and a new reading.
    archive.sql("""SELECT segments_ensure(1::int2, '2025-03-04')""")
    archive.sql("""INSERT INTO segments SELECT 1, 1, min(t), max(t), 2,
        packed_from(array_agg(t ORDER BY t), '{99,98}', '{0,0}',
            array_agg(t ORDER BY t))
        FROM unnest(ARRAY['2025-03-04 01:00Z'::timestamptz,
            '2025-03-04 01:01Z']) t""")
    archive.sql("""UPDATE rollups_fresh SET n = n + 2, good = good + 2
        WHERE series = 1 AND width_s = 86400
            AND bucket = '2025-03-04 00:00Z'""")
    assert "restore it first" in archive.archive("--class", "operational",
                                                 ok=False)
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    rows = archive.sql("""SELECT ts::text, value FROM readings
        WHERE series = 1 AND ts BETWEEN '2025-03-04 01:00Z'
            AND '2025-03-04 01:01Z' ORDER BY ts""")
    assert [v for _, v in rows] == [rows[0][1], 98] and rows[0][1] != 99
    assert archive.sql("SELECT sum(n) FROM segments WHERE series = 1"
                       ) == [(EACH + 1,)]
    archive.archive("--class", "operational")
    archive.run("verify")


def test_blocks_are_found_by_series_and_time(archive):
    """A day of a reading every 2 s, between two sparse series of its class:
    several blocks, and one that holds three series."""
    archive.sql("""INSERT INTO series (node_id, metric_id, unit, kind, change)
        SELECT n.id, m.id, m.unit, m.kind, 0 FROM nodes n, metrics m
        WHERE n.code = 'N2' AND m.code IN ('power', 'speed')
        ORDER BY m.code""")
    archive.sql("""SELECT put(4, '2025-03-09', '2025-03-10', '2 s', 'day'),
        put(5, '2025-03-09', '2025-03-10', '1 h', 'day')""")
    archive.archive("--class", "operational")
    blocks = archive.sql("""SELECT length(blocks) / 52 FROM archive_files
        WHERE day = '2025-03-09'""")[0][0]
    assert blocks == 4  # 48 + 48 + 16,288 | 16,384 | the other 10,528 | 24
    start = datetime.datetime(2025, 3, 9, tzinfo=UTC)

    def located(series, since, until, most=4):
        def key(seconds):
            us = int((start.timestamp() + seconds) * 1e6)
            return series.to_bytes(4, "big") + (us + 2**63).to_bytes(8, "big")

        rows = archive.sql(
            "SELECT blocks FROM archive_locate(%s, to_timestamp(%s),"
            " to_timestamp(%s), %s, %s, %s)", series,
            start.timestamp() + since, start.timestamp() + until, key(since),
            key(until), most)
        found = bytes(rows[0][0] or b"")
        return [(int.from_bytes(found[i:i + 4], "big"),
                 (int.from_bytes(found[i + 4:i + 12], "big") - 2**63) // 10**6
                 - int(start.timestamp())) for i in range(0, len(found), 52)]

    day = 86400
    first, second, third, last = (1, 0), (4, 32576), (4, 65344), (5, 0)
    assert located(1, 0, day) == [first, second]
    assert located(4, 0, day) == [first, second, third, last]
    assert located(4, 0, 32576) == [first, second]
    assert located(4, 32575, 32577) == [first, second, third]
    assert located(4, 32576, 65344) == [second, third]
    assert located(4, 0, day, most=1) == [first, second]
    assert located(4, 70000, day) == [third, last]
    assert located(5, 0, day) == [last]
    assert located(5, 3600, day) == [last]
    assert located(2, 0, day) == [first, second]
    # Another day's only block, and a time that is not archived.
    assert located(5, day, 2 * day) == [(1, day)]
    assert archive.sql("SELECT count(*) FROM archive_locate(1, '2025-04-01', "
                       "'2025-04-02', '', '', 4)") == [(0,)]


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "manifest"])
def test_damaged_files_are_found_and_restore_nothing(archive, damage):
    archive.archive("--class", "operational")
    path = archive.files()[4]
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-100])
    elif damage == "flip":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif damage == "gone":
        path.unlink()
    else:
        (path.parent / "_manifest.json").write_text("{}")
    assert "day=2025-03-05" in archive.run("verify", ok=False)
    if damage == "manifest":
        return
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01",
                ok=False)
    assert archive.states() == {"operational": "restoring"}
    # Nothing of it is in segments, and what is whole again can be restored.
    assert archive.sql("SELECT count(*) FROM segments WHERE class = 1"
                       ) == [(0,)]


def test_a_file_with_more_readings_is_left_alone(archive):
    """The database was set back to a backup from before a late reading."""
    archive.archive("--class", "quality")
    path = archive.files()[4]
    data = path.read_bytes()
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    archive.sql("""UPDATE segments g SET t1 = p.t1, n = 3, data = p.data
        FROM (SELECT s.t0, max(u.ts) AS t1, packed_from(
            array_agg(u.ts ORDER BY u.ts), array_agg(u.value ORDER BY u.ts),
            array_agg(u.quality ORDER BY u.ts),
            array_agg(u.received_at ORDER BY u.ts)) AS data
            FROM segments s, packed_readings(s.data) u
            WHERE s.class = 2 AND s.t0 = '2025-03-05'
                AND u.ts < '2025-03-05 18:00Z' GROUP BY 1) p
        WHERE g.series = 3 AND g.t0 = p.t0""")
    archive.sql("SELECT rollups_again(3, '2025-03-05', '2025-03-06')")
    said = archive.archive("--class", "quality", ok=False)
    assert "holds 4 readings, the database but 3" in said
    assert path.read_bytes() == data
    assert archive.states() == {"quality": "writing"}


def test_another_databases_folder_is_left_alone(archive):
    archive.archive("--class", "quality")
    path = archive.files()[0]
    data = path.read_bytes()
    archive.sql("UPDATE archive_home SET id = gen_random_uuid()")
    archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    assert "another database" in archive.archive(ok=False)
    assert path.read_bytes() == data
    assert archive.sql("SELECT sum(n) FROM segments WHERE class = 2"
                       ) == [(31 * 4,)]


def test_one_archiver_at_a_time(archive):
    connection = psycopg2.connect(archive.conninfo)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7305804407)")
        assert "another archiver" in archive.archive(ok=False)
    connection.close()
    assert archive.states() == {}


@pytest.mark.parametrize("verb, step", [("run", 0.02), ("restore", 0.004)])
def test_killed_at_any_moment_nothing_is_lost(archive, verb, step):
    before = archive.sql(READINGS)
    if verb == "run":
        command = ["run", "--before", "2026-01-01", "--grace", "0"]
    else:
        archive.archive()
        command = ["restore", "--from", "2025-03-01", "--to", "2025-04-01"]
    end = time.monotonic() + 60
    kills = 0
    while True:
        p = subprocess.Popen([PROGRAM, *command], env=archive.env,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            assert p.wait(step * 1.25 ** kills) == 0
            break
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        kills += 1
        # Whoever was killed may be at its last statement yet.
        while archive.sql("""SELECT pid FROM pg_stat_activity WHERE datname =
            current_database() AND backend_type = 'client backend'
            AND pid <> pg_backend_pid()"""):
            assert time.monotonic() < end
        # Every reading is in segments, or in files that answer.
        warm = archive.sql(READINGS)
        states = archive.states()
        for code, series in (("operational", {1, 2}), ("quality", {3})):
            held = [r for r in before if r[0] in series]
            there = [r for r in warm if r[0] in series]
            assert there == held or (there == [] and states[code] in (
                "dropped", "restoring")), (code, states)
    assert kills >= 3
    if verb == "run":
        assert set(archive.states().values()) == {"dropped"}
        archive.run("verify")
        archive.run("restore", "--from", "2025-03-01", "--to", "2025-04-01")
    assert archive.sql(READINGS) == before
