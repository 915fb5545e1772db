/* However a file is cut, ordered or repeated: the same readings come out. */
#include "core/instant.h"
#include "ingest/import_part.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW  INT64_C(1795166824000000) /* 2026-11-20T09:27:04Z */
#define HEAD "node,metric,ts,value\n"

static struct registry *reg;
static struct import_part part;
static struct err_info info;

static void
make(void)
{
	struct series_row row = {.node = "N",
	    .unit = "m",
	    .canonical = "m",
	    .low = -10,
	    .high = 250};

	reg = registry_new();
	registry_put_node(reg, &(struct node_row){"N", "Z", false, 1});
	row.id = 2;
	row.metric = "level";
	cr_assert_eq(registry_put_series(reg, &row), ERR_OK);
	row.id = 1;
	row.metric = "pressure";
	cr_assert_eq(registry_put_series(reg, &row), ERR_OK);
}

static void
drop(void)
{
	import_part_done(&part);
	registry_free(reg);
}

TestSuite(import_part, .init = make, .fini = drop);

static enum err
decode(const char *csv, const char *header)
{
	struct import_input in = {.csv = csv,
	    .len = strlen(csv),
	    .header = header,
	    .registry = reg,
	    .limits = {.now_us = NOW, .future_us = US_PER_MINUTE}};

	import_part_done(&part);
	err_clear(&info);
	return (import_part_decode(&part, &in, &info));
}

Test(import_part, orders_and_tells_repeats_from_conflicts)
{
	cr_assert_eq(decode(HEAD "N,level,2024-01-02T00:00:00Z,3\n"
				 "N,pressure,2024-01-02T00:00:00Z,5\n"
				 "N,level,2024-01-01T00:00:00Z,2\n"
				 "N,level,2024-01-02T00:00:00Z,3\n"
				 "N,level,2024-01-02T00:00:00Z,4\n"
				 "N,level,2024-01-03T00:00:00Z,\n"
				 "X,level,2024-01-02T00:00:00Z,4\n",
			 NULL),
	    ERR_OK);
	cr_assert_eq(part.n, 3);
	cr_expect_eq(part.readings[0].series, 1);
	cr_expect_eq(part.readings[1].value, 2);
	cr_expect_eq(part.readings[2].value, 3);
	cr_expect_eq(part.readings[2].received_us, 0, "the row");
	cr_expect_eq(part.duplicates, 1);
	cr_expect_eq(part.empty, 1);
	cr_expect_eq(part.rejected[REJECT_CONFLICT], 1);
	cr_expect_eq(part.rejected[REJECT_UNKNOWN_SERIES], 1);
	cr_expect_eq(import_part_rejected(&part), 2);
	import_part_sort_items(&part);
	cr_assert_eq(part.nitems, 2);
	cr_expect_eq(part.items[0].row, 4);
	cr_expect_eq(part.items[1].row, 6);
}

Test(import_part, takes_the_header_from_part_0_or_again)
{
	static const char *const rows[] = {
	    "N,level,2024-01-02T00:00:00Z,3\r\n",
	    "node,metric,ts,value\r\nN,level,2024-01-02T00:00:00Z,3",
	    "\xef\xbb\xbfnode,metric,ts,value\nN,level,2024-01-02T00:00:00Z,3",
	};
	struct span head;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(decode(rows[i], "node,metric,ts,value"), ERR_OK);
		cr_expect_eq(part.n, 1, "%zu", i);
		cr_expect_eq(import_part_rejected(&part), 0, "%zu", i);
	}
	cr_expect_eq(decode(rows[0], NULL), ERR_INVALID);
	cr_assert_eq(
	    import_part_header(rows[2], strlen(rows[2]), &head, &info), ERR_OK);
	cr_expect_eq(head.len, strlen("node,metric,ts,value"));
	cr_expect_eq(memcmp(head.s, "node", 4), 0);
}

Test(import_part, tells_the_first_hundred_by_row)
{
	char *csv = malloc(64 * 1000), *p = csv;
	size_t i;

	p += snprintf(p, 64, HEAD);
	for (i = 0; i < 300; i++)
		p += snprintf(p, 64, "%s,level,2024-01-02T00:00:00Z,%zu\n",
		    i % 2 == 0 ? "N" : "X", i / 2);
	cr_assert_eq(decode(csv, NULL), ERR_OK);
	free(csv);
	cr_expect_eq(part.n, 1);
	cr_expect_eq(part.rejected[REJECT_UNKNOWN_SERIES], 150);
	cr_expect_eq(part.rejected[REJECT_CONFLICT], 149);
	import_part_sort_items(&part);
	cr_assert_eq(part.nitems, IMPORT_ITEMS);
	for (i = 0; i < IMPORT_ITEMS; i++)
		cr_expect_eq(part.items[i].row, i + 1);
}

/* Chunks are whole, in order, and none is too much for one transaction,
 * whatever the cadence is. */
Test(import_part, cuts_what_one_transaction_stores)
{
	static const int64_t cadences_us[] = {
	    US_PER_SECOND, 15 * US_PER_SECOND, US_PER_HOUR, US_PER_DAY};
	static const size_t most[] = {200000, 200000, 30000, 12000};
	const size_t n = 700000;
	size_t i, c, at, len;

	part.readings = calloc(n, sizeof(*part.readings));
	part.n = n;
	for (c = 0; c < 4; c++) {
		for (i = 0; i < n; i++)
			part.readings[i] = (struct reading){
			    .series = 1, .t_us = (int64_t)i * cadences_us[c]};
		for (at = 0; at < n; at += len) {
			len = import_part_chunk(&part, at);
			cr_assert_gt(len, 0);
			cr_assert_leq(len, most[c] * 3);
			cr_assert_leq(at + len, n);
		}
	}
}
