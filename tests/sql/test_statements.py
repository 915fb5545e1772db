"""Every statement prepares on a fresh database; the hot ones use an index."""
import re

import pytest

from scratch import ROOT, STATEMENTS, parameters, prepare

NAMES = sorted(path.stem for path in STATEMENTS.glob("*.sql"))


@pytest.mark.parametrize("name", NAMES)
def test_prepares_and_names_its_parameters(db, name):
    db.sql(prepare(name))
    text = (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
    assert text.startswith("-- "), "opens with a comment"
    comment = "".join(re.findall(r"--[^\n]*", text))
    for n in range(1, parameters(name) + 1):
        # "$1..$7" names those between, too.
        spans = re.findall(r"\$(\d+)\s*(?:\.\.|…|-|to)\s*\$(\d+)", comment)
        named = re.search(rf"\${n}\b", comment) or any(
            int(a) <= n <= int(b) for a, b in spans)
        assert named, f"${n} is not named in the opening comment"


def test_each_resource_names_an_existing_statement():
    source = "".join((ROOT / "src/api" / f).read_text(encoding="utf-8")
                     for f in ("resources_network.c", "resources_decisions.c",
                               "archives.c", "meters_tables.c", "resources_guards.c"))
    rows = re.findall(r"^RESOURCE\(([^;]*)\);", source, re.M)
    assert len(rows) > 30
    for row in rows:
        words = [w.strip() for w in row.split(",")]
        name = words[0] if words[1].isdigit() else words[1]
        assert name in NAMES, name
        given = len(re.findall(
            r"SOURCE_(?!END)|\bBODY|IF_MATCH|\bWHO|PATH_(?:CODE|ID)\b"
            r"|(?:PAGE|PATH_SERIES)", row))
        given += len(re.findall(r"PAGE|PATH_SERIES", row))
        given -= len(re.findall(r"SOURCE_PATH", row))
        assert given == parameters(name), row


HOT = {
    "nodes_get": ("nodes_code_key", ["'N1'"]),
    "series_get": ("nodes_code_key", ["'N1'", "'flow'"]),
    "anomalies_get": ("anomalies_pkey", ["1"]),
    "anomalies_list": ("anomalies_pkey",
                       ["NULL", "NULL", "NULL", "NULL", "100", "NULL",
                        "NULL"]),
    "plans_get": ("plans_pkey", ["1"]),
    "latest_by_series": ("series_latest_pkey", ["'{1,2}'"]),
    "nodes_list": ("nodes_code_key",
                   ["NULL", "NULL", "NULL", "100", "NULL"]),
}


def fill_network(db):
    """As many nodes and series as a plan for many needs, and the planner
    told so: it then does not depend on what other tests left behind."""
    db.sql("INSERT INTO nodes (code, type) SELECT 'PLAN-' || i, 'junction'"
           " FROM generate_series(1, 3000) AS i")
    db.sql("INSERT INTO series (node_id, metric_id, unit, kind)"
           " SELECT n.id, m.id, m.unit, m.kind FROM nodes n, metrics m"
           " WHERE n.code LIKE 'PLAN-%' AND m.code IN ('flow', 'pressure')")
    db.sql("ANALYZE nodes, series, metrics")


@pytest.mark.parametrize("name", sorted(HOT))
def test_hot_ones_use_their_index(db, name):
    index, args = HOT[name]
    fill_network(db)
    db.sql("SELECT segments_ensure(1::int2, '2026-01-05')")
    db.sql("SET enable_seqscan = off; SET enable_sort = off")
    db.sql(prepare(name))
    plan = "\n".join(row[0] for row in db.sql(
        f"EXPLAIN EXECUTE test_{name}({', '.join(args)})"))
    assert index in plan, plan


def test_the_view_looks_for_log_rows_in_their_own_month(db):
    db.sql("SELECT segments_ensure(1::int2, '2026-01-05')")
    db.sql("SET enable_seqscan = off; SET enable_hashjoin = off; "
           "SET enable_mergejoin = off; SET enable_bitmapscan = off")
    plan = "\n".join(row[0] for row in db.sql(
        "EXPLAIN SELECT * FROM readings WHERE NOT merged"))
    found = re.search(r"segments_1_202601_pkey.*\n\s*Index Cond: (.*)", plan)
    assert found and found[1].count("t0") == 2, plan
