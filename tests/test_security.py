"""SECURITY.md names what is there: every test it cites, every fuzz target."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()
CITED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


def has(path, name):
    text = path.read_text()
    if path.suffix == ".c":
        suite, test = name.split(".")
        return re.search(rf"^\w*Test\({suite}, {test}\b", text, re.M)
    return re.search(rf"^def {name}\(", text, re.M)


@pytest.mark.parametrize("cited", [c for c in CITED if " " not in c])
def test_what_is_cited_exists(cited):
    file, _, name = cited.partition("::")
    assert (ROOT / file).is_file()
    assert not name or has(ROOT / file, name)


def test_each_threat_has_a_test_or_says_that_it_has_none():
    rows = re.findall(r"^\| ([STRIDE]) \| (.*) \|$", PAGE, re.M)
    assert {kind for kind, _ in rows} == set("STRIDE")
    for _, row in rows:
        test = row.split(" | ")[-1]
        assert test.startswith("`tests/") or test == "not covered", row


def test_each_fuzz_target_is_named_with_what_it_reads():
    targets = {f"tests/fuzz/{p.name}" for p in (ROOT / "tests/fuzz").glob("fuzz_*.c")}
    assert targets <= set(CITED)
    for target in targets:
        corpus = ROOT / "tests/fuzz/corpus" / target[len("tests/fuzz/fuzz_"):-2]
        assert any(corpus.iterdir()), corpus
