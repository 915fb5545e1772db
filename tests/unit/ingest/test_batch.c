#include "core/instant.h"
#include "ingest/batch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1795166824000000)

static struct registry *reg;
static struct last_seen *seen;
static struct arena arena;
static struct batch b;
static struct err_info info;
static struct text reply;

static void
make(void)
{
	reg = registry_new();
	seen = last_seen_init(calloc(1, last_seen_size(9)), 9);
	last_seen_trust(seen);
	registry_put_node(reg, &(struct node_row){"A", "", false, 1});
	registry_put_series(reg,
	    &(struct series_row){.id = 1,
		.node = "A",
		.metric = "flow",
		.unit = "m3/h",
		.canonical = "m3/h",
		.low = -1000,
		.high = 1000});
	registry_put_series(reg,
	    &(struct series_row){.id = 2,
		.node = "A",
		.metric = "level",
		.unit = "m",
		.canonical = "m",
		.low = -5,
		.high = 100});
	arena_init(&arena, 1 << 20);
	text_init(&reply, 1 << 20);
}

static void
drop(void)
{
	registry_free(reg);
	free(seen);
	arena_done(&arena);
	text_done(&reply);
}

TestSuite(batch, .init = make, .fini = drop);

/* In pieces of a few items. */
static enum err
open_and_decode(const struct batch_input *in, struct arena *a)
{
	enum err e = batch_open(&b, in, a, &info);
	bool more = true;

	while (e == ERR_OK && more)
		e = batch_decode(&b, 200, &more, &info);
	return (e);
}

static enum err
decode(const char *body, size_t max)
{
	struct batch_input in = {.body = body,
	    .len = strlen(body),
	    .registry = reg,
	    .max = max,
	    .limits = {.now_us = NOW, .future_us = 5 * US_PER_MINUTE}};

	err_clear(&info);
	return (open_and_decode(&in, &arena));
}

#define FLOW(sec, value)                                                     \
	"{\"node\":\"A\",\"metric\":\"flow\",\"ts\":\"2026-11-20T09:00:" sec \
	"Z\",\"value\":" value "}"
#define LEVEL(sec, value)                                                     \
	"{\"node\":\"A\",\"metric\":\"level\",\"ts\":\"2026-11-20T09:00:" sec \
	"Z\",\"value\":" value "}"
#define LIST(items) "{\"readings\":[" items "]}"

static const char *
settle(void)
{
	cr_assert_eq(batch_settle(&b, &info), ERR_OK);
	text_reset(&reply);
	batch_write(&b, &reply);
	return (reply.s);
}

/* Decodes and splits; the number of look-ups. */
static size_t
begin(const char *body)
{
	cr_assert_eq(decode(body, 5000), ERR_OK, "%s", info.detail);
	batch_split(&b, seen);
	return (b.nlookup);
}

Test(batch, newest_readings_need_no_look)
{
	cr_expect_eq(begin(LIST(FLOW("01", "1") "," LEVEL("01", "2") "," FLOW(
			 "02", "3"))),
	    0);
	cr_expect_str_eq(settle(),
	    "{\"accepted\":3,\"duplicates\":0,\"rejected\":0,\"items\":[]}");
	cr_expect_eq(b.n, 3);
	cr_expect_eq(b.readings[2].value, 3);
	cr_expect_eq(b.readings[1].series, 2);
	cr_expect(!b.single);
}

Test(batch, what_is_stored_decides)
{
	begin(LIST(FLOW("09", "1")));
	/* Older than the newest: three look-ups, one of them not stored. */
	cr_expect_eq(begin(LIST(FLOW("10", "4") "," FLOW("09", "1") "," FLOW(
			 "08", "2") "," FLOW("07", "3"))),
	    3);
	cr_expect_eq(b.readings[b.lookup[0]].value, 1);
	batch_stored(&b, 0, 1);
	batch_stored(&b, 1, 2.5);
	batch_stored(&b, 17, 0);
	cr_expect_str_eq(settle(),
	    "{\"accepted\":2,\"duplicates\":1,\"rejected\":1,\"items\":["
	    "{\"index\":1,\"status\":\"duplicate\"},"
	    "{\"index\":2,\"status\":\"rejected\",\"reason\":\"conflict\","
	    "\"detail\":\"the series has the value 2.5 at this time; the first "
	    "stays\"}]}");
	cr_expect_eq(b.n, 2);
	cr_expect_eq(b.readings[0].value, 4);
	cr_expect_eq(b.readings[1].value, 3);
	cr_expect_eq(b.index[1], 3);
}

Test(batch, repeats_in_the_body_are_found)
{
	cr_expect_eq(begin(LIST(FLOW("01", "1") "," FLOW("01", "1") "," LEVEL(
			 "01", "1") "," FLOW("01", "2"))),
	    2);
	cr_expect_str_eq(settle(),
	    "{\"accepted\":2,\"duplicates\":1,\"rejected\":1,\"items\":["
	    "{\"index\":1,\"status\":\"duplicate\"},"
	    "{\"index\":3,\"status\":\"rejected\",\"reason\":\"conflict\","
	    "\"detail\":\"an earlier item has the value 1 at this time; the "
	    "first stays\"}]}");
}

/* A repeat is compared with what is stored, not with its neighbour. */
Test(batch, repeats_of_stored_readings)
{
	begin(LIST(FLOW("09", "1")));
	cr_expect_eq(begin(LIST(FLOW("05", "7") "," FLOW("05", "8"))), 2);
	batch_stored(&b, 0, 8);
	batch_stored(&b, 1, 8);
	settle();
	cr_expect_eq(b.n, 0);
	cr_expect_eq(b.outcomes[0].reason, REJECT_CONFLICT);
	cr_expect_eq(b.outcomes[1].reason, REJECT_NONE);
}

Test(batch, a_look_up_that_answers_twice_counts_once)
{
	begin(LIST(FLOW("09", "1")));
	begin(LIST(FLOW("05", "7")));
	batch_stored(&b, 0, 7);
	batch_stored(&b, 0, 7);
	settle();
	cr_expect_eq(b.duplicates, 1);
}

Test(batch, rejected_items_keep_their_index)
{
	begin(LIST("5," FLOW("01", "1") ",{\"node\":\"B\",\"metric\":\"flow\","
					"\"ts\":\"x\",\"value\":1}," LEVEL(
					    "01", "101")));
	cr_expect_eq(b.unknown, 1);
	settle();
	cr_expect_eq(b.n, 1);
	cr_expect_eq(b.rejected, 3);
	cr_expect_eq(b.outcomes[0].index, 0);
	cr_expect_eq(b.outcomes[0].reason, REJECT_BAD_ITEM);
	cr_expect_eq(b.outcomes[1].index, 2);
	cr_expect_eq(b.outcomes[1].reason, REJECT_UNKNOWN_SERIES);
	cr_expect_eq(b.outcomes[2].index, 3);
	cr_expect_eq(b.outcomes[2].reason, REJECT_OUT_OF_RANGE);
}

Test(batch, single_and_empty)
{
	begin(FLOW("01", "1"));
	cr_expect(b.single);
	settle();
	cr_expect_eq(b.n, 1);
	begin(LIST(""));
	cr_expect(!b.single);
	cr_expect_str_eq(settle(),
	    "{\"accepted\":0,\"duplicates\":0,\"rejected\":0,\"items\":[]}");
}

Test(batch, a_body_that_breaks_at_its_end_gives_its_place)
{
	cr_expect_eq(
	    decode("{\"readings\":[" FLOW("01", "1") "}", 5000), ERR_BAD_JSON);
	cr_expect_eq(info.code, ERR_BAD_JSON);
	cr_expect_eq(strncmp(info.detail, "line 1, column ", 15), 0);
	cr_expect_eq(decode(LIST("1,2,3"), 2), ERR_TOO_LARGE);
	cr_expect_eq(last_seen_get(seen, 1), INSTANT_NONE);
}

Test(batch, a_full_arena_is_an_error)
{
	struct arena small;
	struct batch_input in = {.registry = reg,
	    .max = 5000,
	    .limits = {.now_us = NOW, .future_us = 5 * US_PER_MINUTE}};
	struct text body;
	size_t cap;
	int i;

	text_init(&body, 1 << 20);
	text_puts(&body, "{\"readings\":[5");
	for (i = 0; i < 500; i++)
		text_puts(&body, i % 2 ? ",6" : "," FLOW("01", "1"));
	text_puts(&body, "]}");
	in.body = body.s;
	in.len = body.len;
	for (cap = 0; cap < 200000; cap += 5000) {
		arena_init(&small, cap);
		err_clear(&info);
		if (open_and_decode(&in, &small) == ERR_OK) {
			batch_split(&b, seen);
			if (batch_settle(&b, &info) == ERR_OK)
				break;
		}
		cr_expect_eq(info.code, ERR_NO_MEMORY);
		arena_done(&small);
	}
	cr_expect(cap > 5000 && cap < 200000, "%zu", cap);
	cr_expect_eq(b.noutcomes, b.duplicates + b.rejected);
	arena_done(&small);
	text_done(&body);
}

/* Against the slow, obvious way, on random batches. */
Test(batch, agrees_with_a_simple_model)
{
	double stored[2][10];
	bool there[2][10] = {{false}};
	size_t accepted, duplicates, conflicts, i;
	int round, n, s, t, v;

	srandom(7);
	for (round = 0; round < 3000; round++) {
		struct text body;

		accepted = duplicates = conflicts = 0;
		arena_reset(&arena);
		text_init(&body, 1 << 20);
		text_puts(&body, "{\"readings\":[");
		bool was[2][10];
		double had[2][10];
		memcpy(was, there, sizeof(was));
		memcpy(had, stored, sizeof(had));
		n = (int)(random() % 12);
		for (i = 0; i < (size_t)n; i++) {
			s = (int)(random() % 2);
			t = (int)(random() % 10);
			v = (int)(random() % 2);
			text_printf(&body,
			    "%s{\"node\":\"A\",\"metric\":\"%s\",\"ts\":\"2026-"
			    "11-20T09:00:0%dZ\",\"value\":%d}",
			    i ? "," : "", s ? "level" : "flow", t, v);
			if (!there[s][t]) {
				there[s][t] = true;
				stored[s][t] = v;
				accepted++;
			} else if (stored[s][t] == v)
				duplicates++;
			else
				conflicts++;
		}
		text_puts(&body, "]}");
		begin(body.s);
		for (i = 0; i < b.nlookup; i++) {
			const struct reading *r = &b.readings[b.lookup[i]];

			s = r->series - 1;
			t = (int)(r->t_us / US_PER_SECOND % 10);
			if (was[s][t])
				batch_stored(&b, i, had[s][t]);
		}
		settle();
		cr_assert_eq(b.n, accepted, "%s", body.s);
		cr_assert_eq(b.duplicates, duplicates, "%s", body.s);
		cr_assert_eq(b.rejected, conflicts, "%s", body.s);
		text_done(&body);
		if (random() % 20 == 0) {
			memset(there, 0, sizeof(there));
			free(seen);
			seen = last_seen_init(calloc(1, last_seen_size(9)), 9);
			if (random() % 2)
				last_seen_trust(seen);
		}
	}
}
