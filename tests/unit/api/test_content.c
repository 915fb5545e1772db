/* POST of readings in each form and coding. */
#include "api/fake.h"
#include "api/gzip.h"
#include "core/instant.h"
#include "core/loop.h"
#include "core/text.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "node,metric,ts,value\n"
#define ROW  "N1,flow,2026-11-18T11:00:00Z,10\n"

static void
setup(void)
{
	fake_init();
	registry_put_node(
	    fake.api.registry, &(struct node_row){"N1", "Z1", false, 1});
	registry_put_series(fake.api.registry,
	    &(struct series_row){.id = 1,
		.node = "N1",
		.metric = "flow",
		.unit = "L/s",
		.canonical = "m3/h",
		.low = -1000,
		.high = 1000});
}

TestSuite(content, .init = setup, .fini = fake_done);

static struct fake_call
send_body(const char *type, const char *coding, const char *body, size_t len)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/readings", "");
	c.x.body = body;
	c.x.body_len = len;
	c.nheaders = 0;
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	call_header(&c, "Content-Type", type);
	if (coding != NULL)
		call_header(&c, "Content-Encoding", coding);
	call_run(&c);
	return (c);
}

Test(content, csv_and_ndjson)
{
	static const struct {
		const char *type, *body;
	} rows[] = {
	    {"text/csv", HEAD ROW},
	    {"Text/CSV; charset=utf-8; header=present", HEAD ROW},
	    {"application/x-ndjson",
		"{\"node\":\"N1\",\"metric\":\"flow\",\"value\":10,"
		"\"ts\":\"2026-11-18T11:00:00Z\"}\n"},
	};

	for (size_t i = 0; i < 3; i++) {
		struct fake_call c = send_body(
		    rows[i].type, NULL, rows[i].body, strlen(rows[i].body));

		cr_expect_eq(c.status, 200, "%s", c.body);
		/* The same each time: only the first is newest, so the next
		 * is looked for and, the database being empty, stored. */
		cr_expect_str_eq(c.body,
		    "{\"accepted\":1,\"duplicates\":0,\"rejected\":0,"
		    "\"items\":[]}");
		call_done(&c);
	}
	cr_assert_eq(fake.nlogged, 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(fake.logged[i].value, fake.logged[0].value);
}

Test(content, csv_says_what_was_empty_and_what_is_wrong)
{
	static const char body[] =
	    HEAD "N1,flow,2026-11-18T11:00:00Z,\nN1,flow,now,1\n" ROW "oops\n";
	struct fake_call c =
	    send_body("text/csv", NULL, body, sizeof(body) - 1);

	cr_expect_eq(c.status, 200);
	cr_expect(says(&c,
		      "\"accepted\":1,\"duplicates\":0,\"rejected\":2,"
		      "\"empty\":1,"),
	    "%s", c.body);
	cr_expect(says(&c,
	    "\"index\":1,\"status\":\"rejected\","
	    "\"reason\":\"bad_timestamp\""));
	cr_expect(says(
	    &c, "\"index\":3,\"status\":\"rejected\",\"reason\":\"bad_item\""));
	call_done(&c);
	c = send_body("text/csv", NULL, ROW, sizeof(ROW) - 1);
	cr_expect_eq(c.status, 422);
	cr_expect(says(&c, "the header names node, metric, ts, value"));
	call_done(&c);
}

Test(content, other_types_and_codings_are_refused_with_what_is_taken)
{
	static const struct {
		const char *type, *coding, *words;
	} rows[] = {
	    {"text/plain", NULL,
		"application/json|text/csv|application/x-ndjson"},
	    {"text/csvx", NULL, "one of"},
	    {"text/csv", "br", "must be gzip"},
	    {"text/csv", "gzip, gzip", "must be gzip"},
	};
	struct fake_call c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = send_body(
		    rows[i].type, rows[i].coding, HEAD ROW, strlen(HEAD ROW));
		cr_expect_eq(c.status, 415);
		cr_expect(says(&c, rows[i].words), "%s", c.body);
		call_done(&c);
	}
	call_init(&c, METHOD_POST, "/api/v1/auth/token", "{}");
	call_header(&c, "Content-Encoding", "gzip");
	call_run(&c);
	cr_expect_eq(c.status, 415);
	cr_expect(says(&c, "no Content-Encoding"));
	call_done(&c);
	cr_expect_eq(fake.nlogged, 0);
}

static size_t
compress(const char *s, size_t len, char *to, size_t room)
{
	struct gzip *g = gzip_new();
	size_t n;

	cr_assert_not_null(g);
	gzip_feed(g, s, len);
	gzip_read(g, true, to, room, &n);
	cr_assert_lt(n, room);
	gzip_free(g);
	return (n);
}

static char coded[1 << 20];

Test(content, gzip)
{
	size_t n = compress(HEAD ROW, strlen(HEAD ROW), coded, sizeof(coded));
	struct fake_call c = send_body("text/csv", "gzip", coded, n);

	cr_expect_eq(c.status, 200, "%s", c.body);
	cr_expect(says(&c, "\"accepted\":1,"));
	call_done(&c);
	c = send_body("text/csv", "X-GZIP", coded, n);
	cr_expect_eq(c.status, 200);
	call_done(&c);
	c = send_body("text/csv", "identity", HEAD ROW, strlen(HEAD ROW));
	cr_expect_eq(c.status, 200);
	call_done(&c);
	for (size_t cut = 0; cut < n; cut++) {
		c = send_body("text/csv", "gzip", coded, cut);
		cr_expect_eq(c.status, 400, "%zu: %s", cut, c.body);
		call_done(&c);
	}
	coded[n - 6] ^= 1; /* its CRC */
	c = send_body("text/csv", "gzip", coded, n);
	cr_expect_eq(c.status, 400);
	call_done(&c);
}

/* Two members, the trailer of the second telling of itself alone; and one
 * that is too large for the loop. */
Test(content, gzip_that_takes_a_thread)
{
	struct text t;
	struct fake_call c;
	size_t n;

	n = compress(HEAD, strlen(HEAD), coded, sizeof(coded));
	n += compress(ROW, strlen(ROW), coded + n, sizeof(coded) - n);
	c = send_body("text/csv", "gzip", coded, n);
	cr_expect_eq(c.status, 200, "%s", c.body);
	cr_expect(says(&c, "\"accepted\":1,"));
	call_done(&c);

	text_init(&t, 1 << 20);
	text_puts(&t, "{\"readings\":[");
	for (int i = 0; i < 4000; i++)
		text_printf(&t,
		    "%s{\"node\":\"N%d\",\"metric\":\"flow\","
		    "\"ts\":\"2026-11-18T10:%02d:%02dZ\",\"value\":1}",
		    i ? "," : "", i < 60 ? 1 : 2, i / 60, i % 60);
	text_puts(&t, "]}");
	n = compress(t.s, t.len, coded, sizeof(coded));
	fake.nlogged = 0;
	c = send_body("application/json", "gzip", coded, n);
	cr_expect_eq(c.status, 200);
	cr_expect(says(&c,
	    "\"accepted\":60,\"duplicates\":0,"
	    "\"rejected\":3940,"));
	cr_expect_eq(fake.nlogged, 60);
	call_done(&c);
	fake.offload_refuses = ERR_BUSY;
	c = send_body("application/json", "gzip", coded, n);
	cr_expect_eq(c.status, 503);
	call_done(&c);
	text_done(&t);
}

/* The client leaves while a thread inflates its body. */
Test(content, gzip_of_a_client_that_left)
{
	static char zeros[300000];
	size_t n = compress(zeros, sizeof(zeros), coded, sizeof(coded));
	char *body = malloc(n);
	struct fake_call c;

	cr_assert_not_null(body);
	memcpy(body, coded, n);
	call_init(&c, METHOD_POST, "/api/v1/readings", "");
	c.x.body = body;
	c.x.body_len = n;
	c.nheaders = 0;
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	call_header(&c, "Content-Type", "text/csv");
	call_header(&c, "Content-Encoding", "gzip");
	api_dispatch(&fake.api, &c.x);
	cr_expect_eq(fake_waiting(), 1);
	c.x.on_gone(&c.x);
	free(body);
	fake_turn();
	cr_expect_eq(c.answers, 0);
	cr_expect_eq(fake.nlogged, 0);
}

Test(content, bombs)
{
	static char zeros[9 << 20];
	static const size_t sizes[] = {7 << 20, 9 << 20};
	struct fake_call c;
	size_t n;

	for (int i = 0; i < 2; i++) {
		memset(zeros, '\n', sizeof(zeros));
		n = compress(zeros, sizes[i], coded, sizeof(coded));
		for (int lie = 0; lie < 2; lie++) {
			c = send_body("text/csv", "gzip", coded, n);
			cr_expect_eq(c.status, 413, "%s", c.body);
			call_done(&c);
			memset(coded + n - 4, 0, 4); /* "it is empty" */
		}
	}
}

/* A body of several steps gives way between them. */
static struct {
	loop_timer_cb *cb;
	void *arg;
	int n;
} later;

static struct loop_timer *
put_off(struct loop *loop, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)loop;
	(void)ms;
	cr_assert_null(later.cb);
	later.cb = cb;
	later.arg = arg;
	later.n++;
	return ((struct loop_timer *)&later);
}

static void
go_on(void)
{
	loop_timer_cb *cb = later.cb;

	later.cb = NULL;
	cb(later.arg);
}

Test(content, long_bodies_are_read_in_steps)
{
	static const struct loop_ops ops = {.after = put_off};
	static char body[1 << 20];
	static struct loop loop = {&ops};
	struct fake_call c;
	size_t n = (size_t)snprintf(body, sizeof(body), HEAD);

	while (n < 600000)
		n += (size_t)snprintf(body + n, sizeof(body) - n,
		    "N1,flow,no time at all but a long text that says so at "
		    "some length%060d,1\n",
		    0);
	fake.api.loop = &loop;
	for (int leaves = 0; leaves < 2; leaves++) {
		later.n = 0;
		call_init(&c, METHOD_POST, "/api/v1/readings", "");
		c.x.body = body;
		c.x.body_len = n;
		c.nheaders = 0;
		call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
		call_header(&c, "Content-Type", "text/csv");
		api_dispatch(&fake.api, &c.x);
		fake_turn();
		cr_expect_eq(c.answers, 0);
		if (leaves)
			c.x.on_gone(&c.x);
		while (later.cb != NULL) {
			cr_expect_eq(c.answers, 0);
			go_on();
			fake_turn();
		}
		cr_expect_gt(later.n, leaves ? 0 : 2);
		cr_expect_eq(c.answers, !leaves);
		if (!leaves) {
			cr_expect_eq(c.status, 200);
			call_done(&c);
		}
	}
}

static bool
before_eleven(void *self, int32_t series, int64_t t_us, int64_t *ret_end_us)
{
	*ret_end_us = FAKE_NOW_US - 400 * US_PER_SECOND;
	return (self == &fake && series == 1 && t_us < *ret_end_us);
}

Test(content, archived_spans_take_no_more)
{
	struct fake_call c;

	fake.api.range_cold.self = &fake;
	fake.api.range_cold.only = before_eleven;
	c = send_body("text/csv", NULL,
	    HEAD "N1,flow,2026-11-18T10:59:59Z,1\n" ROW,
	    strlen(HEAD "N1,flow,2026-11-18T10:59:59Z,1\n" ROW));
	cr_expect(says(&c, "\"accepted\":1,"), "%s", c.body);
	cr_expect(says(&c,
	    "\"reason\":\"too_old\",\"detail\":\"this time is "
	    "archived"));
	call_done(&c);
}
