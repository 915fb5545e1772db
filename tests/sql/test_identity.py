"""Lists of users and API keys, and kept answers. Users: test_accounts.py."""
import hashlib
import json

import pytest

HASH = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA"


@pytest.fixture
def empty(db):
    db.sql("DELETE FROM users")
    db.sql("DELETE FROM idempotency")
    return db


@pytest.mark.parametrize("what", ["user", "api_key"])
def test_lists_by_page(empty, what):
    db = empty
    db.sql("DELETE FROM api_keys")
    names = []
    for i in range(5):
        if what == "user":
            names.append(f"user{i}")
            db.run("user_create", json.dumps(
                {"username": names[-1], "role": "viewer"}), HASH)
        else:
            names.append(f"key{i:013d}")
            db.run("api_key_create", '{"name": "x"}', names[-1], bytes(32),
                   "anna")
    seen, cursor = [], None
    while True:
        page = json.loads(db.body(f"{what}_list", "2", cursor))
        seen += [i.get("username", i.get("id")) for i in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == names


def test_a_key_is_revoked_once_and_stamps_a_change(db):
    key = "ABCDEFGHIJKLMNOP"
    db.run("api_key_create", '{"name": "pump"}', key, bytes(32), "anna")
    before = db.sql("SELECT change FROM api_keys WHERE id = %s", key)[0][0]
    assert db.body("api_key_revoke", key) is None
    assert db.run("api_key_revoke", key) == []
    after = db.sql("SELECT change FROM api_keys WHERE id = %s", key)[0][0]
    assert after > before


def claim(db, body=b"x", key="k1"):
    return db.run("idempotency_claim", "anna", key,
                  hashlib.sha256(body).digest())


def keep(db, status, body, location):
    db.sql("UPDATE idempotency SET status = %s, body = %s, location = %s"
           " WHERE principal = 'anna' AND key = 'k1'",
           status, body, location)


def test_a_claim_and_its_answer(empty):
    db = empty
    assert claim(db) == [(True, True, 0, "", None)]
    assert claim(db) == [(False, True, 0, "", None)]
    assert claim(db, b"y") == [(False, False, 0, "", None)]
    assert claim(db, b"y", "k2")[0][0] is True
    keep(db, 201, "{}", "/x")
    assert claim(db) == [(False, True, 201, "{}", "/x")]
    assert claim(db, b"y")[0][:2] == (False, False)


@pytest.mark.parametrize("status,age,again", [
    (0, "50 seconds", False), (0, "61 seconds", True),
    (201, "23 hours", False), (201, "25 hours", True)])
def test_claims_and_answers_grow_old(empty, status, age, again):
    db = empty
    claim(db)
    keep(db, status, "{}", None)
    db.sql("UPDATE idempotency SET created_at = now() - %s::interval", age)
    assert claim(db)[0][0] is again
    assert claim(db)[0][0] is False


def test_old_answers_of_others_are_swept(empty):
    db = empty
    for i in range(12):
        claim(db, key=f"old{i}")
    db.sql("UPDATE idempotency SET created_at = now() - interval '2 days'")
    claim(db)
    assert db.sql("SELECT count(*) FROM idempotency")[0][0] == 3
