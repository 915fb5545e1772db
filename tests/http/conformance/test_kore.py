"""The suite against Kore's own parser: what the gate is there for. The lists
hold what Kore 4.1.0 of Debian 12 makes of it; once they are no longer true this
test fails, and so tells that Kore has changed."""

import pytest

from cases import CASES
from kore_alone import KoreAlone, available
from replay import Plain, rest

# Taken, where a refusal is due.
TAKES = {
    "bare lf as line end",
    "bare lf between fields",
    "bare lf behind the fields",
    "cr cr lf",
    "credentials twice",
    "a content type twice",
    "nul in a value",
    "a version in small letters",
    "two spaces before the target",
    "two spaces behind the target",
    "a space behind the version",
    "a space before the method",
    "a method in small letters",
    "an absolute target of another host",
    "an absolute target of another port",
    "an absolute target with a user",
    "an absolute target without a host",
    "an absolute target of another scheme",
    "an authority as target",
    "an asterisk without options",
    "a relative target",
    "a fragment",
    "a raw byte in the target",
    "a raw byte in the query",
    "a quote in the target",
    "a backslash in the target",
    "a dot segment",
    "a dot segment at the end",
    "a single dot segment",
    "an encoded dot segment",
    "a half encoded dot segment",
    "an encoding cut short",
    "an encoding that is not hex",
    "an encoded nul",
    "an encoded line end",
    "encoded bytes that are not utf-8",
    "encoded bytes of an overlong form",
    "a surrogate",
    "two hosts",
    "two equal hosts",
    "a host with a path",
    "a host with a user",
    "a list of hosts",
    "a host with a port that is none",
    "a name that begins like host",
    "no name",
    "too many fields",
    "a body on get",
    "a body on head",
    "a body on delete",
    "a chunked body on get",
    "two equal lengths",
    "a signed length",
    "a length and chunked",
    "an unknown expectation",
}

# Not answered, or not all of it, where service is due.
REFUSES = {
    "an empty line between requests",
    "a higher minor version",
    "an empty value",
    "a value of spaces",
    "tabs and obs-text in a value",
    "no length means no body",
    "chunked",
    "chunked in capitals",
    "chunked of nothing",
    "chunks",
    "a chunk with line ends",
    "a request behind chunks",
    "a chunk extension",
    "a space before a chunk extension",
    "a trailer field",
    "trailer fields that frame",
    "three requests at once",
    "many requests at once",
    "bytes behind a body",
    "a name that begins like close",
    "http/1.0",
    "http/1.0 that asks to stay",
}

# Seen as another request.
OTHERWISE = {
    "an absolute target",
    "an absolute target in capitals",
}


@pytest.fixture(scope="module")
def kore(tmp_path_factory):
    if not available():
        pytest.skip("kore_alone.so or kore is not there")
    kore = KoreAlone(tmp_path_factory.mktemp("kore"))
    yield kore
    kore.stop()


def outcome(kore, case, patience):
    # It takes a client's FIN for its leaving, so silence is the end.
    with Plain(kore.port, timeout=patience) as raw:
        try:
            raw.send(case.data)
        except OSError:
            pass
        rest(raw)
    seen = kore.new()
    if seen == list(case.seen):
        return "agrees"
    if len(seen) == len(case.seen):
        return "otherwise"
    return "takes" if len(seen) > len(case.seen) else "refuses"


KNOWN = {**dict.fromkeys(TAKES, "takes"), **dict.fromkeys(REFUSES, "refuses"),
         **dict.fromkeys(OTHERWISE, "otherwise")}


def test_what_the_gate_adds(kore):
    changed = {}
    for case in CASES:
        known = KNOWN.get(case.name, "agrees")
        # On a busy machine it may be silent for longer.
        for patience in (0.25, 3):
            if (found := outcome(kore, case, patience)) == known:
                break
        else:
            changed[case.name] = found
    assert not changed
    print(f"of {len(CASES)} cases Kore alone takes {len(TAKES)} that must be "
          f"refused, refuses {len(REFUSES)} that must be served, and reads "
          f"{len(OTHERWISE)} otherwise")
