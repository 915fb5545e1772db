"""A service under load that a test may break, and what the tests counted."""

import json
import os

import pytest

from support.load import Load
from support.service import wait_for

FIGURES = pytest.StashKey()
# Readings after the last fault; PENSTOCK_TEST_LONG goes on for minutes.
AFTERWARDS = 500_000 if os.environ.get("PENSTOCK_TEST_LONG") else 500


@pytest.fixture
def figures(request):
    """Takes what a test counted; printed at the end, never judged."""
    kept = request.config.stash.setdefault(FIGURES, [])

    def keep(**counted):
        kept.append((request.node.name, counted))
    return keep


def pytest_terminal_summary(terminalreporter, config):
    kept = config.stash.get(FIGURES, [])
    if kept:
        terminalreporter.section("counted under load")
    for name, counted in kept:
        terminalreporter.write_line(f"{name} {json.dumps(counted)}")


class Loaded:
    """A service, its load, and how the two come to a proven end."""

    BACK_WITHIN = 15  # seconds

    def __init__(self, service, figures, *others, **options):
        self.service, self.figures = service, figures
        self.recovered = []
        self.load = Load(service, *others, **options)
        self.load.start()
        self.more(1000)

    def more(self, readings, seconds=30):
        """Waits until so many more were acknowledged."""
        goal = self.load.acknowledged_count() + readings
        wait_for("more readings",
                 lambda: self.load.acknowledged_count() >= goal, seconds)

    def back(self, moment, within=BACK_WITHIN):
        """Waits until every sender is served again after that moment."""
        wait_for("service for every sender",
                 lambda: self.load.all_well_since(moment), within, 0.02)
        self.recovered.append(round(min(
            s.last_ok for s in self.load.senders) - moment, 2))

    def refused_since(self, moment):
        return [what for at, what in self.load.errors() if at > moment]

    def prove(self, **counted):
        """A little more, the end of the load, and the proof."""
        self.more(AFTERWARDS, 600)
        self.load.stop()
        if self.recovered:
            counted["back_s"] = self.recovered[-20:]
        self.figures(**counted, **self.load.prove())


@pytest.fixture
def under_load(own_service, figures):
    """Starts a service with settings of the test's own, and its load."""
    made = []

    def make(settings=None, beside=None, **options):
        service = own_service(**(settings or {}))
        service.start()
        others = beside(service) if beside else []
        made.append(Loaded(service, figures, *others, **options))
        return made[-1]

    yield make
    for loaded in made:
        loaded.load.stop()


@pytest.fixture
def loaded(under_load):
    return under_load()
