"""A start that cannot be says which setting is to blame."""

import socket

import pytest

import edge_probe
from support.service import free_port

pytestmark = pytest.mark.skipif(
    not edge_probe.available(), reason="edge_probe.so is not built")


def refusal(folder, port=None, **settings):
    with pytest.raises(RuntimeError) as refused:
        edge_probe.Probe(folder, port or free_port(), **settings)
    return str(refused.value)


def test_no_certificate(tmp_path):
    text = refusal(tmp_path, cert="/does/not/exist")
    assert "PENSTOCK_TLS_CERT /does/not/exist: " in text
    assert "No such file" in text


def test_a_key_that_is_none(tmp_path):
    (tmp_path / "no-key").write_text("not a key\n")
    assert f"PENSTOCK_TLS_KEY {tmp_path}/no-key: " in refusal(
        tmp_path, key=str(tmp_path / "no-key"))


def test_no_address(tmp_path):
    assert "PENSTOCK_HOST a..b: " in refusal(tmp_path, host="a..b")


def test_port_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen: no one waits
        port = taken.getsockname()[1]
        assert f"PENSTOCK_PORT: cannot listen on 127.0.0.1:{port}" in refusal(
            tmp_path, port)


def test_a_start_tells_its_own_reason_and_leaves_nothing(own_service):
    service = own_service()
    for name, value in (("WORKERS", "0"), ("TOKEN_LIFE", "soon")):
        setting = f"PENSTOCK_{name}"
        service.env[setting] = value
        with pytest.raises(AssertionError) as refused:
            service.start()
        text = str(refused.value)
        # The log still holds the start before.
        assert [w for w in ("WORKERS", "TOKEN_LIFE") if w in text] == [name]
        assert not list((service.state / "pid").iterdir())
        del service.env[setting]


def test_a_state_folder_of_two_words(own_service):
    service = own_service()
    service.state = service.folder / "two words"
    service.env["PENSTOCK_STATE"] = str(service.state)
    service.start()
    assert service.ready()
