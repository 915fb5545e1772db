"""A change of knowledge, a key or a user that waits for the lock of all changes
holds no row: whoever has the lock may need that row."""
import json
import threading
import time

import psycopg2
import pytest

NODE = {"type": "junction"}
TEMPLATE = {
    "code": "LOCK-T", "name": "x", "metric": "flow",
    "least_severity": "warning", "effect_window_s": 60,
    "actions": [{"step": 1, "action": "close_valve", "target_type": "valve",
                 "target_relation": "inlet"}]}
KEY = "LOCK00000000KEY1"
HASH = "$argon2id$" + "x" * 60
CHANGES = {
    "links_change": ("LOCK-V", '{"gateway": null}', None),
    "links_delete": ("LOCK-V", None),
    "gateways_change": ("LOCK-G", '{"name": "y"}', None),
    "templates_change": ("LOCK-T", '{"name": "y"}', None, "eve"),
    "nodes_change": ("LOCK-A", '{"zone": "LOCK-Z"}', None),
    "nodes_retire": ("LOCK-A", None),
    "nodes_create": ('{"code": "LOCK-C", "type": "tank", "zone": "LOCK-Z"}',),
    "api_key_revoke": (KEY,),
    "api_key_change": (KEY, '{"name": "y"}', None),
    "api_key_rotate": (KEY, "{}", "LOCK00000000KEY2", b"2" * 32, "x"),
    "user_change": ("lock.user", '{"role": "admin"}', None),
    "user_disable": ("lock.user", None),
    "user_set_password": ("lock.user", HASH, None),
}
ROWS = """
    SELECT FROM links WHERE code = 'LOCK-V' FOR KEY SHARE NOWAIT;
    SELECT FROM gateways WHERE code = 'LOCK-G' FOR KEY SHARE NOWAIT;
    SELECT FROM plan_templates WHERE code = 'LOCK-T' FOR KEY SHARE NOWAIT;
    SELECT FROM nodes WHERE code = 'LOCK-A' FOR KEY SHARE NOWAIT;
    SELECT FROM api_keys WHERE name = 'LOCK-K' FOR UPDATE NOWAIT;
    SELECT FROM users WHERE username = 'lock.user' FOR UPDATE NOWAIT;
    SET LOCAL lock_timeout = '200ms'; INSERT INTO zones (code) VALUES ('LOCK-Z')
"""
GONE = """
    DELETE FROM links WHERE code = 'LOCK-V';
    DELETE FROM gateways WHERE code = 'LOCK-G';
    DELETE FROM plan_templates WHERE code = 'LOCK-T';
    DELETE FROM nodes WHERE code LIKE 'LOCK-_';
    DELETE FROM api_keys WHERE name = 'LOCK-K';
    DELETE FROM users WHERE username = 'lock.user'
"""


@pytest.fixture
def network(db):
    for code in "LOCK-A", "LOCK-B":
        db.run("nodes_create", json.dumps(NODE | {"code": code}))
    db.run("gateways_create",
           json.dumps({"code": "LOCK-G", "url": "http://127.0.0.1:9/"}))
    db.run("links_create", json.dumps({
        "code": "LOCK-V", "type": "valve", "from_node": "LOCK-A",
        "to_node": "LOCK-B", "gateway": "LOCK-G"}))
    db.run("templates_create", json.dumps(TEMPLATE), "eve")
    db.run("api_key_create", '{"name": "LOCK-K"}', KEY, b"1" * 32, "x")
    db.run("user_create", '{"username": "lock.user", "role": "viewer"}', HASH)
    db.connection.commit()
    yield
    db.connection.rollback()
    db.sql(GONE)
    db.connection.commit()


def wait_until_it_waits(db, pid):
    for _ in range(100):
        if db.sql("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted",
                  pid):
            return
        time.sleep(0.02)
    raise AssertionError("the change did not wait for the lock")


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_lock_comes_first(conninfo, db, network, name):
    from scratch import Database
    other = psycopg2.connect(conninfo)
    pid = other.info.backend_pid
    thread = threading.Thread(
        target=lambda: Database(other).run(name, *CHANGES[name]))
    try:
        db.run("cycle_knowledge_lock")
        thread.start()
        wait_until_it_waits(db, pid)
        db.sql(ROWS)
    finally:
        db.connection.rollback()
        thread.join(10)
        other.rollback()
        other.close()
