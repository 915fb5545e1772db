"""The archive in a bucket of an S3 server, over TLS, signed."""
import datetime
import os
import subprocess
import tempfile

import pytest

from support.s3 import BUCKET, S3, Missing
from support.service import ROOT, Service, wait_for

UTC = datetime.timezone.utc
START = datetime.datetime(2025, 3, 5, tzinfo=UTC)
SPAN = {"node": "N1", "metric": "flow", "from": "2025-03-01T00:00:00Z",
        "to": "2025-04-01T00:00:00Z", "limit": 5000}


@pytest.fixture(scope="module")
def s3():
    with tempfile.TemporaryDirectory(prefix="penstock-s3.") as folder:
        os.chmod(folder, 0o755)  # the service user reads the certificate
        try:
            with S3(folder) as server:
                yield server
        except Missing as why:
            pytest.skip(str(why))


@pytest.fixture(scope="module")
def keeper(s3):
    s = Service(PENSTOCK_LOOP_PERIOD=200, **s3.env)
    s.start()
    s.make_series("N1", "flow", "pressure")
    answer = s.call("POST", "/api/v1/readings", "device", json={"readings": [
        {"node": "N1", "metric": "flow", "value": i / 8, "ts": (
            START + i * datetime.timedelta(minutes=10)
        ).strftime("%Y-%m-%dT%H:%M:%SZ")} for i in range(3 * 144)]})
    assert answer.json()["accepted"] == 3 * 144
    wait_for("the log is merged",
             lambda: s.sql("SELECT count(*) FROM ingest_log") == [(0,)])
    yield s
    s.remove()


def put_dense(s):
    """A day whose file is over a MB, from where on libcurl asks first
    (Expect: 100-continue); as an import would leave it."""
    s.sql("""SELECT segments_ensure(1::int2, '2025-03-20');
        INSERT INTO segments SELECT s.id, 1, min(t), max(t), count(*),
            packed_from(array_agg(t ORDER BY t), array_agg(random()),
                array_agg(0::int2), array_agg(t + interval '1 s' ORDER BY t))
        FROM series s JOIN metrics m ON m.id = s.metric_id,
            generate_series('2025-03-20', timestamptz '2025-03-20 23:59:59',
                '1 s') t
        WHERE m.code = 'pressure' GROUP BY s.id,
            extract(hour FROM t)::int / 12;
        SELECT rollups_again(s.id, '2025-03-20', '2025-03-21')
        FROM series s JOIN metrics m ON m.id = s.metric_id
        WHERE m.code = 'pressure'""")


def archive(s, *args, ok=True, **env):
    done = subprocess.run([ROOT / "scripts/archive", *args], text=True,
                          env=s.env | env, capture_output=True, timeout=120)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def run(s, **more):
    return archive(s, "run", "--before", "2025-04-01", "--grace", "1", **more)


def get(s, **query):
    return s.call("GET", "/api/v1/readings", "viewer", params=SPAN | query)


def test_to_the_bucket_and_back(s3, keeper):
    put_dense(keeper)
    before = get(keeper).json()["items"]
    assert len(before) == 3 * 144
    dense = {"metric": "pressure", "from": "2025-03-20T11:30:00Z",
             "to": "2025-03-20T12:30:00Z"}
    hour = get(keeper, **dense).json()["items"]
    assert len(hour) == 3600

    # Neither a wrong secret nor an unknown authority gets anywhere.
    assert "status 403" in run(keeper, ok=False,
                               PENSTOCK_S3_SECRET_KEY="wrong")
    assert "certificate" in run(
        keeper, ok=False, PENSTOCK_S3_CA="/etc/ssl/certs/ca-certificates.crt")
    assert get(keeper).json()["source"] != "cold"

    run(keeper)
    put = [p for m, p, _ in s3.front.seen if m == "PUT"]
    assert f"/{BUCKET}/readings/class%3Doperational/day%3D2025-03-05/" \
        "shard%3D0/readings.avro" in put
    answer = get(keeper)
    assert answer.status_code == 200, answer.text
    assert answer.json()["source"] == "cold"
    assert answer.json()["items"] == before
    assert get(keeper, **dense).json()["items"] == hour
    assert keeper.sql("SELECT max(bytes) FROM archive_files")[0][0] > 1 << 20
    assert "as recorded" in archive(keeper, "verify")

    # One day asks for a part of one object.
    s3.front.seen.clear()
    assert len(get(keeper, to="2025-03-06T00:00:00Z").json()["items"]) == 144
    assert [(m, p.rsplit("/", 3)[1], bool(r)) for m, p, r in s3.front.seen
            ] == [("GET", "day%3D2025-03-05", True)]

    # Out of reach: an error that names the day, not an empty answer.
    s3.stop_front()
    answer = get(keeper)
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "/problems/archive-unavailable"
    assert "2025-03-05" in answer.json()["detail"]
    s3.start_front()
    assert get(keeper).json()["items"] == before

    archive(keeper, "restore", "--from", "2025-03-01", "--to", "2025-04-01")
    wait_for("it is warm", lambda: get(keeper).json()["source"] == "warm")
    assert get(keeper).json()["items"] == before
