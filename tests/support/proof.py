"""Every acknowledged reading once and with its value in PostgreSQL, roll-ups
as a recomputation from raw gives them, the newest values likewise, and the
hot tier equal to all that."""

import io
import re
import subprocess

from support.service import ROOT, wait_for

DRAINED_WITHIN = 90  # seconds; the loop has a whole test's readings to merge
HOT_WITHIN = 20
WHOLE_WITHIN = 60  # hours are kept anew once it is calm

# Blocks become readings here; the value is that of load.value_of.
SENT = """
CREATE TEMP TABLE blocks (first int, nodes int, t0_us int8, count int,
    step_us int8, acknowledged bool);
CREATE TEMP VIEW spread AS
    SELECT 'LOAD-' || to_char(n.n, 'FM000') AS node,
	'epoch'::timestamptz + u.us * interval '1 microsecond' AS ts,
	((n.n * 37 + u.us / 1000000 * 13) % 4001) / 100::float8 AS value,
	b.acknowledged
    FROM blocks b,
	generate_series(b.first, b.first + b.nodes - 1) AS n(n),
	generate_series(0, b.count - 1) AS i(i),
	LATERAL (SELECT b.t0_us + i.i * b.step_us AS us) AS u
"""
RAW = """
CREATE TEMP TABLE sent AS SELECT node, ts, min(value) AS value,
    bool_or(acknowledged) AS acknowledged FROM spread GROUP BY 1, 2;
CREATE TEMP TABLE raw AS SELECT series, node, ts, value, quality, merged
    FROM readings WHERE node LIKE 'LOAD-%' AND metric = 'pressure';
ANALYZE sent; ANALYZE raw
"""

# Each must find nothing; %(width)s is a roll-up's.
NEVER = {
    "twice": "SELECT node, ts, count(*) FROM raw GROUP BY 1, 2 "
             "HAVING count(*) > 1",
    "missing": "SELECT s.* FROM sent s LEFT JOIN raw r USING (node, ts) "
               "WHERE s.acknowledged AND r.node IS NULL",
    "changed": "SELECT s.*, r.value FROM sent s JOIN raw r USING (node, ts) "
               "WHERE s.value <> r.value",
    "never sent": "SELECT r.* FROM raw r LEFT JOIN sent s USING (node, ts) "
                  "WHERE s.node IS NULL",
    "not merged": "SELECT * FROM raw WHERE NOT merged",
    "newest": """
SELECT * FROM (
	SELECT DISTINCT ON (series) series, ts, value FROM raw
	ORDER BY series, ts DESC) r
FULL JOIN (SELECT * FROM series_latest
    WHERE series IN (SELECT id FROM load_series)) l USING (series)
WHERE (r.ts, r.value) IS DISTINCT FROM (l.ts, l.value)""",
}
ROLLUP = """
SELECT * FROM (
	SELECT series, date_bin(%(width)s * interval '1 second', ts, 'epoch')
	    AS bucket, count(*) AS n, count(*) FILTER (WHERE quality = 0) AS good,
	    coalesce(sum(value) FILTER (WHERE quality = 0), 0) AS sum,
	    coalesce(sum(value * value) FILTER (WHERE quality = 0), 0) AS sumsq,
	    coalesce(min(value) FILTER (WHERE quality = 0), 'Infinity') AS min,
	    coalesce(max(value) FILTER (WHERE quality = 0), '-Infinity') AS max,
	    min(ts) AS first_ts, (array_agg(value ORDER BY ts))[1] AS first,
	    max(ts) AS last_ts, (array_agg(value ORDER BY ts DESC))[1] AS last
	FROM raw GROUP BY 1, 2) r
FULL JOIN (SELECT * FROM rollups WHERE width_s = %(width)s
    AND series IN (SELECT id FROM load_series)) u USING (series, bucket)
WHERE (r.n, r.good, r.min, r.max, r.first_ts, r.first, r.last_ts, r.last)
    IS DISTINCT FROM
    (u.n, u.good, u.min, u.max, u.first_ts, u.first, u.last_ts, u.last)
    OR NOT abs(r.sum - u.sum) <= 1e-9 * greatest(abs(r.sum), 1)
    OR NOT abs(r.sumsq - u.sumsq) <= 1e-9 * greatest(abs(r.sumsq), 1)
"""
SERIES = """
CREATE TEMP TABLE load_series AS SELECT s.id, n.code FROM series s
    JOIN nodes n ON n.id = s.node_id WHERE n.code LIKE 'LOAD-%'
"""


def none(cursor, what, query, arguments=None):
    """Fails with how many rows the query finds and the first of them."""
    cursor.execute(f"SELECT count(*) OVER (), q.* FROM ({query}) q LIMIT 3",
                   arguments)
    found = cursor.fetchall()
    assert not found, f"{what}: {found[0][0]} rows, such as {found}"


def copy_blocks(cursor, blocks, acknowledged):
    text = "".join("\t".join(map(str, b)) + f"\t{acknowledged}\n"
                   for b in blocks)
    cursor.copy_expert("COPY blocks FROM STDIN", io.StringIO(text))


def prove_warm(service, acknowledged, pending):
    wait_for("an empty log", lambda: service.sql(
        "SELECT count(*) FROM ingest_log") == [(0,)], DRAINED_WITHIN, 0.25)
    with service.db() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute(SENT)
        copy_blocks(cursor, acknowledged, True)
        copy_blocks(cursor, pending, False)
        cursor.execute(RAW)
        cursor.execute(SERIES)
        for what, query in NEVER.items():
            none(cursor, what, query)
        for width in (300, 3600, 86400):
            none(cursor, f"roll-ups of {width} s", ROLLUP, {"width": width})
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE acknowledged),"
                       " (SELECT count(*) FROM raw) FROM sent")
        sent, known, stored = cursor.fetchone()
        assert known > 1000, "a load that proves nothing"
        cursor.execute("SELECT DISTINCT ON (node) node, "
                       "rfc3339(ts), value FROM raw ORDER BY node, ts DESC")
        newest = {node: (ts, value) for node, ts, value in cursor}
    return newest, {"sent": sent, "stored": stored}


def latest(service):
    """What the API says is newest, of the nodes that have anything."""
    answer = service.call("GET", "/api/v1/latest?metric=pressure", "viewer")
    assert answer.status_code == 200, answer.text
    return [i for i in answer.json()["items"]
            if i["node"].startswith("LOAD-") and i["ts"]]


def prove_hot(service, newest):
    def all_hot():
        items = latest(service)
        return items if all(i["source"] == "hot" for i in items) else None
    items = wait_for("every newest value from the hot tier", all_hot,
                     HOT_WITHIN, 0.25)
    shown = {i["node"]: (i["ts"], i["value"]) for i in items}
    wrong = {node: (shown.get(node), newest.get(node))
             for node in shown.keys() | newest.keys()
             if shown.get(node) != newest.get(node)}
    assert not wrong, f"hot, warm: {wrong}"[:1000]
    told = wait_for("every series whole in the hot tier",
                    lambda: verified(service), WHOLE_WITHIN, 1)
    return {"compared": int(re.search(r"compared (\d+)", told)[1])}


def verified(service):
    """What scripts/verify-hot says once all is kept; a difference fails."""
    done = subprocess.run([ROOT / "scripts/verify-hot", "--whole"],
                          env=service.env, capture_output=True, text=True,
                          timeout=120)
    assert "differences 0\n" in done.stdout, (done.stdout
                                              + done.stderr)[-2000:]
    return done.stdout if done.returncode == 0 else None


def prove(service, acknowledged, pending):
    """The figures; fails naming what is not as it was promised."""
    newest, figures = prove_warm(service, acknowledged, pending)
    figures.update(prove_hot(service, newest))
    return figures
