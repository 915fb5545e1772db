"""What Citus refuses by its documentation ("SQL support and workarounds"): no
table, statement or function of ours is among it, but for those named here.
Text is looked at, not run: Citus is not in Debian 12."""
import re

import pytest

from scratch import ROOT, STATEMENTS

SCRIPT = (ROOT / "sql/citus/distribute.sql").read_text(encoding="utf-8")
DISTRIBUTED = dict(re.findall(
    r"create_distributed_table\('(\w+)',\s*'(\w+)'", SCRIPT))
REFERENCE = set(re.findall(r"create_reference_table\('(\w+)'", SCRIPT))
LOCAL = {word for line in re.findall(r"^-- local: (.*)$", SCRIPT, re.M)
         for word in line.split()}
REKEYED = {table: set(columns.replace(" ", "").split(","))
           for table, columns in re.findall(
    r"ALTER TABLE (\w+) DROP CONSTRAINT \w+,\s*ADD PRIMARY KEY \((.*?)\)",
    SCRIPT)}

# LIMIT or OFFSET within LATERAL behind a list of keys: our fence that keeps
# plain PostgreSQL to one index range a key. Citus would need a plain join.
FENCED = {"cycle_tidy", "hot_segments", "import_rollups_known",
          "lookup_log", "readings_buckets", "verify_hours"}


def without_comments(text):
    return re.sub(r"--[^\n]*", "", text)


def statements():
    for path in sorted(STATEMENTS.glob("*.sql")):
        yield path.stem, without_comments(path.read_text(encoding="utf-8"))


def bodies(db):
    for name, body in db.sql(
            "SELECT p.proname, p.prosrc FROM pg_proc p "
            "JOIN pg_namespace n ON n.oid = p.pronamespace "
            "WHERE n.nspname = 'public' AND p.prolang <> 0"):
        for one in without_comments(body).split(";"):
            yield name, one


def distributed_in(text):
    return {t for t in DISTRIBUTED if re.search(rf"\b{t}\b", text)}


def lateral_parts(text):
    """What stands in the parentheses after each LATERAL."""
    for match in re.finditer(r"\bLATERAL\s*\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[match.end():end - 1]


def breaches(text):
    """Names of the rules that a statement breaks."""
    tables = distributed_in(text)
    if tables and re.search(r"\bFOR\s+(NO KEY )?(UPDATE|SHARE)\b", text):
        yield "row locks across shards"
    if tables and re.search(r"\bTABLESAMPLE\b|\bWITH RECURSIVE\b|"
                            r"\bGROUPING SETS\b|\bROLLUP\s*\(|\bCUBE\s*\(",
                            text):
        yield "TABLESAMPLE, recursion or grouping sets across shards"
    for table, columns in re.findall(
            r"\bINSERT INTO (\w+)\b(?:(?!\bINSERT\b).)*?"
            r"\bON CONFLICT \(([^)]*)\)", text, re.S):
        if table in DISTRIBUTED and DISTRIBUTED[table] not in re.split(
                r"\W+", columns):
            yield "ON CONFLICT without the distribution column"
    for table, assignments in re.findall(
            r"\bUPDATE (\w+)\b.*?\bSET\b(.*?)(?:\bWHERE\b|\bFROM\b|$)", text,
            re.S):
        if table in DISTRIBUTED and re.search(
                rf"\b{DISTRIBUTED[table]}\s*=", assignments):
            yield "UPDATE of the distribution column"
    for part in lateral_parts(text):
        if distributed_in(part) and re.search(r"\b(LIMIT|OFFSET)\b", part):
            yield "LIMIT or OFFSET within LATERAL"


def test_every_table_has_its_place(db):
    tables = {name for name, in db.sql(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT "
        "relispartition AND relnamespace = 'public'::regnamespace")}
    placed = [*DISTRIBUTED, *REFERENCE, *LOCAL]
    assert len(placed) == len(set(placed)), "a table has two places"
    assert set(placed) == tables


@pytest.mark.parametrize("table", DISTRIBUTED)
def test_keys_hold_the_distribution_column(db, table):
    column = DISTRIBUTED[table]
    keys = db.sql(
        "SELECT i.indexrelid::regclass::text, i.indisprimary, array_agg("
        "a.attname::text) FROM pg_index i JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indrelid = %s::regclass AND i.indisunique GROUP BY 1, 2",
        table)
    assert keys
    for name, primary, columns in keys:
        if primary and table in REKEYED:
            columns = REKEYED[table]
        assert column in columns, name


def test_no_foreign_key_crosses_shards(db):
    for one, other in db.sql(
            "SELECT conrelid::regclass::text, confrelid::regclass::text "
            "FROM pg_constraint WHERE contype = 'f'"):
        assert other not in DISTRIBUTED, (one, other)
        assert one not in DISTRIBUTED or other in REFERENCE, (one, other)


def test_no_trigger_and_no_short_sequence_where_shards_are(db):
    on = db.sql("SELECT tgrelid::regclass::text FROM pg_trigger "
                "WHERE NOT tgisinternal")
    assert not {t for t, in on} & (DISTRIBUTED.keys() | REFERENCE)
    short = db.sql("SELECT attrelid::regclass::text FROM pg_attribute "
                   "WHERE attidentity <> '' AND atttypid <> 'int8'::regtype")
    assert not {t for t, in short} & (DISTRIBUTED.keys() | REFERENCE)


def test_statements_are_such_as_citus_takes():
    found = {name: set(breaches(text)) for name, text in statements()}
    assert {name for name, why in found.items()
            if "LIMIT or OFFSET within LATERAL" in why} == FENCED & {*found}
    others = {name: why - {"LIMIT or OFFSET within LATERAL"}
              for name, why in found.items()}
    assert not {name: why for name, why in others.items() if why}


def test_functions_are_such_as_citus_takes(db):
    found = [(name, *breaches(text)) for name, text in bodies(db)]
    assert len(found) > 100
    assert not [why for why in found if len(why) > 1]


@pytest.mark.parametrize("text, rule", [
    ("INSERT INTO rollups_fresh (a) SELECT 1 ON CONFLICT (width_s) DO NOTHING",
     "ON CONFLICT without"),
    ("UPDATE series_latest SET series = 2 WHERE series = 1", "UPDATE of"),
    ("SELECT * FROM segments FOR UPDATE", "row locks"),
    ("SELECT * FROM k, LATERAL (SELECT 1 FROM segments LIMIT 1) q",
     "LIMIT or OFFSET"),
    ("WITH RECURSIVE r AS (SELECT * FROM ingest_log) SELECT", "TABLESAMPLE"),
])
def test_the_rules_find_what_they_are_for(text, rule):
    assert [b for b in breaches(text) if b.startswith(rule)]
