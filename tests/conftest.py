"""Fixtures for the black-box tests. A service of the test run's own is
started once; a test that breaks things starts another."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.service import Service  # noqa: E402


@pytest.fixture(scope="session")
def service():
    """The service that tests share; none of them may stop or pause it."""
    s = Service(PENSTOCK_LOOP_PERIOD=500)
    try:
        s.start()
        yield s
    finally:
        s.remove()


@pytest.fixture
def own_service():
    """A service that a test may break; nothing is started yet."""
    made = []

    def make(**settings):
        made.append(Service(**{"PENSTOCK_LOOP_PERIOD": 500, **settings}))
        return made[-1]

    yield make
    for s in made:
        s.remove()


@pytest.fixture(scope="session", autouse=True)
def service_environment(request):
    """Tests of a part alone read where the service is from the environment;
    within the whole run that is the shared service."""
    if os.environ.get("PENSTOCK_TEST_URL") or not os.environ.get(
            "PENSTOCK_TEST_WHOLE"):
        yield
        return
    s = request.getfixturevalue("service")
    token = s.folder / "token"
    key = s.folder / "key"
    token.write_text(s.token("admin"))
    key.write_text(s.device_key)
    os.environ.update(
        PENSTOCK_TEST_URL=s.url, PENSTOCK_TEST_CA=s.ca,
        PENSTOCK_TEST_TOKEN_FILE=str(token), PENSTOCK_TEST_KEY_FILE=str(key))
    yield
