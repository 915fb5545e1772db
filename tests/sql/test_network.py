"""Nodes, series, thresholds, links, gateways: good and bad input."""
import json

import pytest

from scratch import Refused, run_c


def j(**members):
    return json.dumps(members)


def node(db, code="T-N1", **more):
    return db.run("nodes_create", j(code=code, type=more.pop(
        "type", "meter"), **more))[0]


def refused(db, status, pointer, words, name, *args):
    with pytest.raises(Refused) as caught:
        db.run(name, *args)
    got, detail, at = caught.value.args
    assert (got, at) == (status, pointer), detail
    assert words in detail


def test_units_equal_the_c_table(db, tmp_path):
    rows = run_c(tmp_path, """
        #include "core/quantity.c"
        #include <stdio.h>
        int main(void) {
            const struct unit *u;
            for (size_t i = 0; (u = unit_at(i)) != NULL; i++)
                printf("%s\\t%s\\n", u->code, u->canonical);
        }""")
    assert len(rows) > 30
    assert sorted(map(tuple, rows)) == sorted(
        db.sql("SELECT code, canonical FROM units"))


def test_every_metric_takes_its_own_unit(db):
    assert db.sql("SELECT m.code FROM metrics m WHERE NOT EXISTS (SELECT "
                  "FROM units u WHERE u.code = m.unit AND "
                  "u.canonical = m.unit)") == []


def test_node_with_series_and_new_zone(db):
    body, etag, location = node(
        db, zone="T-Z", latitude=39.2, simulated=True, series=[
            {"metric": "flow", "unit": "L/s", "cadence_s": 60},
            {"metric": "pressure"}])
    assert location == "/api/v1/nodes/T-N1"
    assert etag.startswith('"') and etag.endswith('"')
    assert (body["zone"], body["latitude"], body["longitude"],
            body["simulated"], body["retired_at"]) == (
                "T-Z", 39.2, None, True, None)
    flow, pressure = body["series"]
    assert (flow["metric"], flow["unit"], flow["canonical_unit"],
            flow["kind"], flow["cadence_s"]) == (
                "flow", "L/s", "m3/h", "instant", 60)
    assert (pressure["unit"], pressure["cadence_s"]) == ("m", None)
    assert db.run("nodes_get", "T-N1") == [(body, etag)]


def test_node_is_all_or_nothing(db):
    refused(db, 422, "/series/1/unit", "bar does not convert to m3/h",
            "nodes_create", j(code="T-N1", type="dma", series=[
                {"metric": "level"}, {"metric": "flow", "unit": "bar"}]))
    assert db.run("nodes_get", "T-N1") == []


@pytest.mark.parametrize("body, status, pointer, words", [
    ({"code": "T N"}, 422, "/code", "letters"),
    ({"code": "-x"}, 422, "/code", "letters"),
    ({"zone": "a b"}, 422, "/zone", "zone code"),
    ({"series": [{"metric": "beer"}]}, 422, "/series/0/metric",
     "no metric beer"),
    ({"series": [{"metric": "flow"}, {"metric": "flow"}]}, 409,
     "/series/1/metric", "T-N1/flow exists"),
])
def test_bad_nodes(db, body, status, pointer, words):
    refused(db, status, pointer, words, "nodes_create",
            json.dumps({"code": "T-N1", "type": "dma"} | body))


def test_duplicate_code_is_named(db):
    node(db)
    refused(db, 409, "/code", "node T-N1 exists already", "nodes_create",
            j(code="T-N1", type="tank"))
    db.run("nodes_retire", "T-N1", None)
    refused(db, 409, "/code", "is retired", "nodes_create",
            j(code="T-N1", type="tank"))


def test_patch_changes_what_is_given(db):
    _, etag, _ = node(db, name="old", zone="T-Z", latitude=1.5)
    body, newer, _ = db.run("nodes_change", "T-N1",
                            j(zone=None, name="new"), etag)[0]
    assert (body["name"], body["zone"], body["latitude"], body["type"]) == (
        "new", None, 1.5, "meter")
    assert newer != etag
    refused(db, 412, "", newer, "nodes_change", "T-N1", j(name="x"), etag)
    refused(db, 412, "", newer, "nodes_change", "T-N1", j(name="x"),
            f"W/{newer}")
    db.run("nodes_change", "T-N1", j(name="x"), f'"0", {newer}')
    db.run("nodes_change", "T-N1", j(name="x"), "*")
    db.run("nodes_change", "T-N1", j(name="x"), None)
    refused(db, 404, "", "no node T-N2", "nodes_change", "T-N2", "{}", None)


def test_retire_and_return(db):
    node(db, series=[{"metric": "flow"}, {"metric": "level"}])
    db.run("series_change", "T-N1", "level", j(retired=True), None)
    db.sql("UPDATE series SET retired_at = '2020-01-01' "
           "WHERE retired_at IS NOT NULL")
    assert db.run("nodes_retire", "T-N1", None) == [(None, None, None)]
    assert db.run("nodes_retire", "T-N1", None) == [(None, None, None)]
    gone = db.run("nodes_get", "T-N1")[0][0]
    assert gone["retired_at"] and gone["series"][0]["retired_at"]
    assert gone["series"][1]["retired_at"] == "2020-01-01T00:00:00Z"
    refused(db, 409, "/node", "is retired", "series_create",
            j(node="T-N1", metric="ph"))
    back = db.run("nodes_change", "T-N1", j(retired=False), None)[0][0]
    assert back["retired_at"] is None
    assert [s["retired_at"] for s in back["series"]] == [
        None, "2020-01-01T00:00:00Z"]
    refused(db, 404, "", "no node T-N9", "nodes_retire", "T-N9", None)


def pages(db, name, limit, *filters):
    cursor, codes = None, []
    while True:
        page = db.body(name, *filters, limit, cursor)
        assert len(page["items"]) <= limit
        codes += page["items"]
        cursor = page["next"]
        if cursor is None:
            return codes


def test_lists_page_without_gap_or_repeat(db):
    for i in range(7):
        node(db, f"T-N{i}", zone="T-Z", type="dma" if i % 2 else "tank",
             series=[{"metric": "flow"}, {"metric": "level"}])
    for limit in (1, 3, 7, 8):
        got = pages(db, "nodes_list", limit, "T-Z", None, None)
        assert [n["code"] for n in got] == [f"T-N{i}" for i in range(7)]
        got = pages(db, "series_list", limit, None, None, "T-Z", None)
        assert [(s["node"], s["metric"]) for s in got] == [
            (f"T-N{i}", m) for i in range(7) for m in ("flow", "level")]
    got = pages(db, "nodes_list", 2, "T-Z", "dma", None)
    assert [n["code"] for n in got] == ["T-N1", "T-N3", "T-N5"]
    assert pages(db, "nodes_list", 2, "T-NONE", None, None) == []
    db.run("nodes_retire", "T-N3", None)
    assert [n["code"] for n in pages(
        db, "nodes_list", 9, "T-Z", None, "true")] == ["T-N3"]
    assert len(pages(db, "series_list", 9, None, "flow", "T-Z", None)) == 6
    got = pages(db, "series_list", 1, "T-N1", None, None, "false")
    assert len(got) == 2


def test_series(db):
    node(db)
    body, etag, location = db.run("series_create", j(
        node="T-N1", metric="pressure", unit="bar", outlier_k=5))[0]
    assert location == "/api/v1/series/T-N1/pressure"
    assert (body["unit"], body["canonical_unit"], body["outlier_k"]) == (
        "bar", "m", 5)
    assert db.run("series_get", "T-N1", "pressure") == [(body, etag)]
    assert db.run("series_get", "T-N1", "flow") == []
    body, newer, _ = db.run("series_change", "T-N1", "pressure", j(
        outlier_k=None, unit="kPa", flatline_s=60), etag)[0]
    assert (body["unit"], body["outlier_k"], body["flatline_s"]) == (
        "kPa", None, 60)
    for said, watched in (("{}", True), ('{"watched": false}', False),
                          ("{}", False), ('{"watched": null}', True)):
        body, newer, _ = db.run("series_change", "T-N1", "pressure", said,
                                newer)[0]
        assert body["watched"] is watched
    refused(db, 412, "", newer, "series_change", "T-N1", "pressure", "{}",
            etag)
    refused(db, 422, "/unit", "it takes", "series_change", "T-N1",
            "pressure", j(unit="L/s"), None)
    refused(db, 404, "", "T-N1/flow", "series_change", "T-N1", "flow", "{}",
            None)
    refused(db, 409, "/metric", "T-N1/pressure exists", "series_create",
            j(node="T-N1", metric="pressure"))
    refused(db, 422, "/node", "no node X", "series_create",
            j(node="X", metric="flow"))
    refused(db, 422, "/unit", "does not convert", "series_create",
            j(node="T-N1", metric="turbidity", unit="FNU"))


HIGH = {"direction": "high", "severity": "critical", "set_level": 5,
        "clear_level": 4}
LOW = {"direction": "low", "severity": "critical", "set_level": 1,
       "clear_level": 2, "on_delay_s": 30}


def test_thresholds_are_replaced_and_keep_their_ids(db):
    node(db, series=[{"metric": "level"}])
    before = db.run("series_get", "T-N1", "level")[0][1]
    body, etag, _ = db.run("thresholds_put", "T-N1", "level", j(
        thresholds=[HIGH, LOW]), before)[0]
    assert etag != before
    assert body == {"node": "T-N1", "metric": "level", "unit": "m",
                    "thresholds": [
                        HIGH | {"on_delay_s": 0, "off_delay_s": 0},
                        LOW | {"off_delay_s": 0}]}
    ids = "SELECT id FROM thresholds WHERE direction = 'high' AND " \
        "series_id IN (SELECT s.id FROM series s JOIN nodes n " \
        "ON n.id = s.node_id WHERE n.code = 'T-N1')"
    first = db.sql(ids)
    body, _, _ = db.run("thresholds_put", "T-N1", "level", j(
        thresholds=[HIGH | {"set_level": 6}]), None)[0]
    assert [t["set_level"] for t in body["thresholds"]] == [6]
    assert db.sql(ids) == first
    assert db.run("thresholds_get", "T-N1", "level")[0][0] == body
    body, _, _ = db.run("thresholds_put", "T-N1", "level",
                        j(thresholds=[]), None)[0]
    assert body["thresholds"] == []
    refused(db, 412, "", "version", "thresholds_put", "T-N1", "level",
            j(thresholds=[]), before)


@pytest.mark.parametrize("rows, pointer, words", [
    ([HIGH | {"clear_level": 6}], "/thresholds/0/clear_level", "beyond"),
    ([HIGH, LOW | {"clear_level": 0}], "/thresholds/1/clear_level", "low"),
    ([HIGH, HIGH], "/thresholds/1", "high critical is given twice"),
])
def test_bad_thresholds(db, rows, pointer, words):
    node(db, series=[{"metric": "level"}])
    refused(db, 422, pointer, words, "thresholds_put", "T-N1", "level",
            j(thresholds=rows), None)
    assert db.run("thresholds_get", "T-N1", "level")[0][0][
        "thresholds"] == []


def gateway(db, code="T-G1", url="http://127.0.0.1:9/commands"):
    return db.run("gateways_create", j(code=code, url=url))[0]


def test_gateways(db):
    body, etag, location = gateway(db)
    assert location == "/api/v1/gateways/T-G1"
    assert (body["failures_in_a_row"], body["held_until"],
            body["links"]) == (0, None, [])
    assert db.run("gateways_get", "T-G1") == [(body, etag)]
    body, newer, _ = db.run("gateways_change", "T-G1", j(
        url="https://gw.example/c"), etag)[0]
    assert body["url"] == "https://gw.example/c" and newer != etag
    refused(db, 412, "", "version", "gateways_change", "T-G1", "{}", etag)
    refused(db, 404, "", "no gateway T-G2", "gateways_change", "T-G2", "{}",
            None)
    refused(db, 409, "/code", "T-G1 exists", "gateways_create",
            j(code="T-G1", url="http://x"))
    for url in ("ftp://x", "http://u:p@x/", "http://x y", "http://"):
        refused(db, 422, "/url", "url must be", "gateways_create",
                j(code="T-G3", url=url))
        refused(db, 422, "/url", "url must be", "gateways_change", "T-G1",
                j(url=url), None)


def test_links(db):
    node(db, "T-A"), node(db, "T-B"), gateway(db)
    link = {"code": "T-V", "type": "valve", "from_node": "T-A",
            "to_node": "T-B", "gateway": "T-G1"}
    body, etag, location = db.run("links_create", json.dumps(link))[0]
    assert location == "/api/v1/links/T-V"
    assert {k: body[k] for k in link} == link
    assert db.run("links_get", "T-V") == [(body, etag)]
    assert db.body("gateways_list", 1000, None)["items"][-1][
        "links"] == ["T-V"]
    refused(db, 409, "/code", "T-V exists", "links_create",
            json.dumps(link))
    link["code"] = "T-W"
    for change, pointer in (({"from_node": "X"}, "/from_node"),
                            ({"to_node": "X"}, "/to_node"),
                            ({"gateway": "X"}, "/gateway"),
                            ({"to_node": "T-A"}, "/to_node")):
        refused(db, 422, pointer, "", "links_create",
                json.dumps(link | change))
    body, newer, _ = db.run("links_change", "T-V", j(gateway=None), etag)[0]
    assert body["gateway"] is None and newer != etag
    refused(db, 422, "/gateway", "no gateway X", "links_change", "T-V",
            j(gateway="X"), None)
    refused(db, 412, "", "version", "links_delete", "T-V", etag)
    change = db.sql("SELECT last_value FROM change_seq")
    assert db.run("links_delete", "T-V", newer) == [(None, None, None)]
    assert db.sql("SELECT last_value FROM change_seq") > change
    refused(db, 404, "", "no link T-V", "links_delete", "T-V", None)


def test_metrics_name_their_units(db):
    items = db.body("metrics_list")["items"]
    flow = next(m for m in items if m["code"] == "flow")
    assert flow["unit"] == "m3/h" and "L/s" in flow["units"]
    assert flow["plausible_low"] < flow["plausible_high"]
