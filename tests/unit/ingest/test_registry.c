#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct registry *r;

static void
make(void)
{
	r = registry_new();
	cr_assert_not_null(r);
}

static void
drop(void)
{
	registry_free(r);
}

TestSuite(registry, .init = make, .fini = drop);

static enum err
put_node(const char *code, const char *zone, bool retired, int64_t change)
{
	return (registry_put_node(
	    r, &(struct node_row){code, zone, retired, change}));
}

static struct series_row
series_row(int32_t id, const char *node, const char *metric)
{
	return ((struct series_row){.id = id,
	    .node = node,
	    .metric = metric,
	    .unit = "L/s",
	    .canonical = "m3/h",
	    .low = -1,
	    .high = 1,
	    .change = 1});
}

static enum err
put_series(int32_t id, const char *node, const char *metric)
{
	struct series_row row = series_row(id, node, metric);

	return (registry_put_series(r, &row));
}

Test(registry, finds_what_was_put)
{
	const struct series_entry *s;

	cr_expect_null(registry_series(r, "A", 1, "flow", 4));
	cr_expect_null(registry_by_id(r, 1));
	cr_expect_eq(put_series(5, "A", "flow"), ERR_NOT_FOUND);
	cr_expect_eq(put_node("A", "Z1", false, 3), ERR_OK);
	cr_expect_eq(put_series(5, "A", "flow"), ERR_OK);
	s = registry_series(r, "A and more", 1, "flow and more", 4);
	cr_assert_not_null(s);
	cr_expect_eq(s->id, 5);
	cr_expect_eq(s->factor, 3.6);
	cr_expect_str_eq(s->metric, "flow");
	cr_expect_str_eq(s->unit, "L/s");
	cr_expect_str_eq(s->canonical, "m3/h");
	cr_expect_str_eq(s->node->name.s, "A");
	cr_expect_str_eq(s->node->zone, "Z1");
	cr_expect_eq(registry_by_id(r, 5), s);
	cr_expect_eq(registry_node(r, "A", 1), s->node);
	cr_expect_eq(registry_change(r, REGISTRY_NODES), 3);
	cr_expect_eq(registry_change(r, REGISTRY_SERIES), 1);
	cr_expect_eq(registry_change(r, REGISTRY_KEYS), 0);
}

/* "AB" + "C" is not "A" + "BC". */
Test(registry, the_two_names_do_not_run_together)
{
	put_node("AB", "", false, 1);
	put_node("A", "", false, 1);
	cr_expect_eq(put_series(1, "AB", "C"), ERR_OK);
	cr_expect_null(registry_series(r, "A", 1, "BC", 2));
	cr_expect_eq(put_series(2, "A", "BC"), ERR_OK);
	cr_expect_eq(registry_series(r, "A", 1, "BC", 2)->id, 2);
	cr_expect_eq(registry_series(r, "AB", 2, "C", 1)->id, 1);
	cr_expect_null(registry_series(r, "ABC", 3, "", 0));
}

Test(registry, rows_apply_in_any_order)
{
	struct series_row row = series_row(1, "A", "flow");
	const struct series_entry *s;

	put_node("A", "Z2", true, 9);
	put_node("A", "Z1", false, 4);
	cr_expect_str_eq(registry_node(r, "A", 1)->zone, "Z2");
	row.change = 8;
	row.high = 50;
	cr_expect_eq(registry_put_series(r, &row), ERR_OK);
	cr_expect_eq(registry_put_series(r, &row), ERR_OK);
	row.change = 7;
	row.high = 40;
	cr_expect_eq(registry_put_series(r, &row), ERR_OK);
	s = registry_by_id(r, 1);
	cr_expect_eq(s->high, 50);
	cr_expect(series_retired(s), "its node is retired");
	put_node("A", NULL, false, 10);
	cr_expect(!series_retired(s));
	cr_expect_str_eq(s->node->zone, "");
	cr_expect_eq(registry_series_count(r), 1);
	cr_expect_eq(registry_change(r, REGISTRY_SERIES), 8);
}

Test(registry, refuses_rows_it_cannot_use)
{
	char longest[REGISTRY_CODE_MAX + 2];
	struct series_row row;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(put_node(longest, "", false, 1), ERR_INVALID);
	longest[sizeof(longest) - 2] = '\0';
	cr_expect_eq(put_node(longest, "", false, 1), ERR_OK);
	cr_expect_eq(put_node("", "", false, 1), ERR_INVALID);
	cr_expect_eq(put_node(NULL, "", false, 1), ERR_INVALID);
	put_node("A", "", false, 1);
	cr_expect_eq(put_series(0, "A", "flow"), ERR_INVALID);
	cr_expect_eq(put_series(-3, "A", "flow"), ERR_INVALID);
	row = series_row(1, "A", "flow");
	row.unit = "psi";
	cr_expect_eq(registry_put_series(r, &row), ERR_INVALID);
	row.unit = "furlong";
	cr_expect_eq(registry_put_series(r, &row), ERR_INVALID);
	cr_expect_eq(put_series(1, "A", "flow"), ERR_OK);
	cr_expect_eq(put_series(2, "A", "flow"), ERR_INVALID);
	cr_expect_eq(put_series(1, "A", "level"), ERR_INVALID);
	cr_expect_eq(registry_series_count(r), 1);
}

Test(registry, keys_are_replaced_and_revoked)
{
	struct key_row row = {
	    .id = "0123456789abcdef", .label = "Logger 7", .change = 3};
	uint8_t hash[32];
	const struct key_entry *k;

	memset(hash, 7, sizeof(hash));
	cr_expect_null(registry_key(r, "0123456789abcdef", 16));
	row.sha256 = hash;
	cr_expect_eq(registry_put_key(r, &row), ERR_OK);
	k = registry_key(r, "0123456789abcdef", 16);
	cr_assert_not_null(k);
	cr_expect_str_eq(k->label, "Logger 7");
	cr_expect_eq(memcmp(k->sha256, hash, sizeof(hash)), 0);
	cr_expect(!k->revoked);
	row.revoked = true;
	row.change = 5;
	registry_put_key(r, &row);
	cr_expect(k->revoked);
	row.revoked = false;
	row.change = 4;
	registry_put_key(r, &row);
	cr_expect(k->revoked, "an older row took the revocation back");
	cr_expect_eq(registry_change(r, REGISTRY_KEYS), 5);
}

static void
put_label(const char *id, const char *label, const char *replaces,
    int64_t expires_us, int64_t change)
{
	static const uint8_t hash[32];

	cr_assert_eq(registry_put_key(r,
			 &(struct key_row){.id = id,
			     .label = label,
			     .sha256 = hash,
			     .replaces = replaces,
			     .expires_us = expires_us,
			     .change = change}),
	    ERR_OK);
}

/* The key's id, "none" or "several". */
static const char *
named(const char *name, int64_t now_us)
{
	const struct key_entry *k = NULL;

	if (registry_key_named(r, name, now_us, &k) != ERR_OK)
		return ("several");
	return (k != NULL ? k->name.s : "none");
}

Test(registry, a_key_is_found_by_its_name)
{
	put_label("K1", "one", NULL, 100, 1);
	cr_expect_str_eq(named("K1", 0), "K1");
	cr_expect_str_eq(named("one", 99), "K1");
	cr_expect_str_eq(named("one", 100), "none");
	cr_expect_str_eq(named("", 0), "none");
	put_label("K2", "one", NULL, 0, 2);
	cr_expect_str_eq(named("one", 0), "several");
	cr_expect_str_eq(named("one", 100), "K2");
	put_label("K2", "two", NULL, 0, 3);
	cr_expect_str_eq(named("one", 0), "K1");
	cr_expect_str_eq(named("two", 0), "K2");
	put_label("K3", "K1", NULL, 0, 4);
	cr_expect_str_eq(named("K1", 0), "K1", "the id comes first");
	put_label("K1", "two", NULL, 0, 5);
	put_label("K2", "three", NULL, 0, 6);
	put_label("K1", "three", NULL, 0, 7);
	cr_expect_str_eq(named("two", 0), "none");
	cr_expect_str_eq(named("three", 0), "several");
}

Test(registry, of_a_key_and_its_successor_the_newer_has_the_name)
{
	put_label("K1", "one", NULL, 100, 1);
	put_label("K2", "one", "K1", 200, 2);
	cr_expect_str_eq(named("one", 0), "K2");
	put_label("K3", "one", "K2", 50, 3);
	cr_expect_str_eq(named("one", 0), "K3");
	cr_expect_str_eq(named("one", 50), "K2", "it is over before");
	put_label("K4", "one", NULL, 0, 4);
	cr_expect_str_eq(named("one", 50), "several");
}

static int
count(const char *zone, const char *metric)
{
	struct registry_walk w;
	int n = 0;

	registry_walk(r, &w, zone, metric);
	while (registry_walk_next(&w) != NULL)
		n++;
	return (n);
}

static bool
admits(const char *node)
{
	const struct key_entry *k = registry_key(r, "K1", 2);

	return (k->scope == NULL ||
	    registry_key_admits(k->scope, registry_node(r, node, 1)));
}

static enum err
put_scope(const char *nodes, const char *zones, int64_t change)
{
	static const uint8_t sha[32];

	return (registry_put_key(r,
	    &(struct key_row){.id = "K1",
		.sha256 = sha,
		.change = change,
		.nodes = nodes,
		.zones = zones}));
}

Test(registry, a_key_may_send_for_its_nodes_and_zones)
{
	static const struct {
		const char *nodes, *zones, *admitted;
	} rows[] = {{NULL, NULL, "ABCDE"}, {"", NULL, ""}, {"B", NULL, "B"},
	    {"B,D", NULL, "BD"}, {NULL, "Z1", "AB"}, {"E", "Z1,Z2", "ABCE"},
	    {"", "", ""}, {NULL, "Z9", ""}};
	char node[2] = "";

	cr_assert_eq(put_node("A", "Z1", false, 1), ERR_OK);
	cr_assert_eq(put_node("B", "Z1", false, 2), ERR_OK);
	cr_assert_eq(put_node("C", "Z2", false, 3), ERR_OK);
	cr_assert_eq(put_node("D", NULL, false, 4), ERR_OK);
	cr_assert_eq(put_node("E", NULL, false, 5), ERR_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(
		    put_scope(rows[i].nodes, rows[i].zones, (int64_t)i + 10),
		    ERR_OK);
		for (node[0] = 'A'; node[0] <= 'E'; node[0]++)
			cr_expect_eq(admits(node),
			    strchr(rows[i].admitted, node[0]) != NULL, "%zu %s",
			    i, node);
	}
	/* Zones that come later, and nodes that move. */
	cr_assert_eq(put_node("D", "Z9", false, 30), ERR_OK);
	cr_expect(admits("D"));
	cr_assert_eq(put_node("D", "Z1", false, 31), ERR_OK);
	cr_expect_not(admits("D"));
	cr_expect_eq(put_scope("A,X", NULL, 40), ERR_NOT_FOUND);
	cr_expect_eq(registry_change(r, REGISTRY_KEYS), 17);
}

Test(registry, a_thousand_nodes_of_a_key)
{
	static char list[5000];
	char code[8];

	for (int i = 0; i < 2000; i++) {
		snprintf(code, sizeof(code), "%d", i);
		cr_assert_eq(put_node(code, NULL, false, i + 1), ERR_OK);
		if (i % 2 == 0)
			snprintf(list + strlen(list),
			    sizeof(list) - strlen(list), "%s%s",
			    i > 0 ? "," : "", code);
	}
	cr_assert_eq(put_scope(list, NULL, 9000), ERR_OK);
	for (int i = 0; i < 2000; i++) {
		snprintf(code, sizeof(code), "%d", i);
		cr_expect_eq(
		    registry_key_admits(registry_key(r, "K1", 2)->scope,
			registry_node(r, code, strlen(code))),
		    i % 2 == 0, "%d", i);
	}
}

Test(registry, a_use_is_worth_telling_once_a_minute)
{
	static const struct {
		int64_t at;
		bool told;
	} rows[] = {{1000, true}, {1001, false}, {60000999, false},
	    {60001000, true}, {60001001, false}, {500, true}};
	const struct key_entry *k;

	cr_assert_eq(put_scope(NULL, NULL, 1), ERR_OK);
	k = registry_key(r, "K1", 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(registry_key_used(r, k, rows[i].at), rows[i].told,
		    "%zu", i);
}

Test(registry, walks_by_zone_and_metric)
{
	char code[16];
	int i;

	for (i = 0; i < 30; i++) {
		(void)snprintf(code, sizeof(code), "N%d", i);
		put_node(code, i % 3 == 0 ? "Z0" : "Z1", i == 29, i + 1);
		put_series(2 * i + 1, code, "flow");
		put_series(2 * i + 2, code, "pressure");
	}
	cr_expect_eq(count(NULL, NULL), 58);
	cr_expect_eq(count("Z0", NULL), 20);
	cr_expect_eq(count("Z1", "flow"), 19);
	cr_expect_eq(count(NULL, "pressure"), 29);
	cr_expect_eq(count("Z2", NULL), 0);
	cr_expect_eq(count(NULL, "ph"), 0);
	cr_expect_eq(count("flow", NULL), 0);
	/* The head, the middle and the last of a zone move. */
	put_node("N27", "Z2", false, 100);
	put_node("N15", "Z2", false, 101);
	put_node("N0", "Z2", false, 102);
	cr_expect_eq(count("Z0", NULL), 14);
	cr_expect_eq(count("Z2", NULL), 6);
	put_node("N15", "Z0", false, 103);
	cr_expect_eq(count("Z0", "flow"), 8);
	cr_expect_eq(count("Z2", "flow"), 2);
}

Test(registry, holds_many)
{
	enum { NODES = 20000, EACH = 3 };
	static const char *const metrics[EACH] = {"flow", "level", "volume"};
	const struct series_entry *s;
	char code[24];
	int i, m, len;

	for (i = 0; i < NODES; i++) {
		(void)snprintf(code, sizeof(code), "node-%d", i);
		cr_assert_eq(put_node(code, "Z", false, 1), ERR_OK);
		for (m = 0; m < EACH; m++)
			cr_assert_eq(
			    put_series(i * 7 + m + 1, code, metrics[m]),
			    ERR_OK);
	}
	cr_expect_eq(registry_series_count(r), NODES * EACH);
	for (i = 0; i < NODES; i++) {
		len = snprintf(code, sizeof(code), "node-%d", i);
		for (m = 0; m < EACH; m++) {
			s = registry_series(r, code, (size_t)len, metrics[m],
			    strlen(metrics[m]));
			cr_assert_not_null(s);
			cr_assert_eq(s->id, i * 7 + m + 1);
			cr_assert_eq(registry_by_id(r, s->id), s);
		}
	}
	cr_expect_null(registry_by_id(r, INT32_MAX));
	cr_expect_null(registry_by_id(r, -1));
}
