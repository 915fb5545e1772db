#include "api/fake.h"
#include "api/wire.h"
#include "auth/key.h"
#include "core/instant.h"
#include "core/loop.h"
#include "core/text.h"
#include "ingest/last_seen.h"
#include "ingest/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void
put(int32_t id, const char *node, const char *metric, const char *unit)
{
	struct node_row n = {.code = node, .zone = "Z1", .change = 1};
	struct series_row s = {.id = id,
	    .node = node,
	    .metric = metric,
	    .unit = unit,
	    .canonical = strcmp(metric, "flow") == 0 ? "m3/h" : "m",
	    .kind = SERIES_INSTANT,
	    .low = -1000,
	    .high = 1000,
	    .change = id};

	cr_assert_eq(registry_put_node(fake.api.registry, &n), ERR_OK);
	cr_assert_eq(registry_put_series(fake.api.registry, &s), ERR_OK);
}

static void
setup(void)
{
	fake_init();
	put(1, "N1", "flow", "L/s");
	put(2, "N1", "level", "m");
	put(3, "N2", "level", "m");
}

TestSuite(readings, .init = setup, .fini = fake_done);
TestSuite(latest, .init = setup, .fini = fake_done);

static struct fake_call
post(const char *body)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/readings", body);
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	call_run(&c);
	return (c);
}

static struct fake_call
get(const char *path)
{
	struct fake_call c;

	call_init(&c, METHOD_GET, path, NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	call_run(&c);
	return (c);
}

#define READING(node, metric, ts, value)                                \
	"{\"node\":\"" node "\",\"metric\":\"" metric "\",\"ts\":\"" ts \
	"\",\"value\":" value "}"
#define T1    "2026-11-18T11:00:00Z"
#define T1_US INT64_C(1794999600000000)

/* All new and all known: the log, and nothing else. */
Test(readings, new_one_goes_straight_to_the_log)
{
	struct fake_call c = post(READING("N1", "flow", T1, "10"));

	cr_expect_eq(c.status, 200);
	cr_expect_str_eq(c.body,
	    "{\"accepted\":1,\"duplicates\":0,\"rejected\":0,\"items\":[]}");
	cr_expect_eq(fake.nasked, 0);
	cr_expect_eq(fake.nlate, 0);
	cr_assert_eq(fake.nlogged, 1);
	cr_expect_eq(fake.logged[0].series, 1);
	cr_expect_eq(fake.logged[0].t_us, T1_US);
	cr_expect_float_eq(fake.logged[0].value, 36, 1e-12); /* m3/h */
	call_done(&c);
}

static const char second_ord[] = {0, 0, 0, 2};
static const char ten[] = {0x40, 0x24, 0, 0, 0, 0, 0, 0};

/* The same again, and another value at the same time. */
Test(readings, old_ones_are_looked_up)
{
	struct fake_call c;

	fake.stored[0] =
	    (struct reading){.series = 3, .value = 10, .t_us = T1_US};
	fake.stored[1] = (struct reading){
	    .series = 3, .value = 10, .t_us = T1_US + US_PER_SECOND};
	fake.nstored = 2;
	c = post(READING("N2", "level", "2026-11-18T11:01:00Z", "1"));
	call_done(&c);
	fake.nlogged = 0;
	c = post("{\"readings\":[" READING("N2", "level", T1, "10") "," READING(
	    "N2", "level", "2026-11-18T11:00:01Z", "11") "," READING("N2",
	    "level", "2026-11-18T11:00:02Z", "12") "]}");
	cr_expect_eq(c.status, 200);
	cr_expect_not_null(
	    strstr(c.body, "{\"accepted\":1,\"duplicates\":1,\"rejected\":1,"),
	    "%s", c.body);
	cr_expect_not_null(strstr(c.body, "\"conflict\""));
	cr_expect_eq(fake.nlooked_up, 3);
	cr_assert_eq(fake.nlogged, 1);
	cr_expect_eq(fake.nlate, 1);
	cr_expect_eq(fake.logged[0].value, 12);
	call_done(&c);
}

/* What cannot be looked up may be there: nothing is stored. */
Test(readings, look_up_fails_or_the_client_leaves)
{
	static const enum err fails[] = {ERR_OK, ERR_DATABASE};
	struct fake_call c =
	    post(READING("N2", "level", "2026-11-18T11:01:00Z", "1"));

	call_done(&c);
	fake.nlogged = 0;
	fake.lookup_refuses = ERR_BUSY;
	for (size_t i = 0; i < 2; i++) {
		fake.lookup_fails = fails[i];
		c = post(READING("N2", "level", T1, "10"));
		cr_expect_eq(c.status, 503);
		call_done(&c);
		fake.lookup_refuses = ERR_OK;
	}
	fake.lookup_fails = ERR_OK;
	call_init(&c, METHOD_POST, "/api/v1/readings",
	    READING("N2", "level", T1, "10"));
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	api_dispatch(&fake.api, &c.x);
	cr_expect_eq(fake_waiting(), 1);
	c.x.on_gone(&c.x);
	fake_turn();
	cr_expect_eq(c.answers, 0);
	cr_expect_eq(fake.nlogged, 0);
}

Test(readings, single_rejected_is_422_with_its_reason)
{
	static const struct {
		const char *body, *reason;
	} rows[] = {
	    {READING("N9", "flow", T1, "10"), "unknown_series"},
	    {READING("N1", "flow", T1, "1e9"), "out_of_range"},
	    {READING("N1", "flow", T1, "1e999"), "not_finite"},
	    {READING("N1", "flow", "2026-11-18T11:12:00Z", "1"), "future"},
	    {READING("N1", "flow", "yesterday", "1"), "bad_timestamp"},
	    {READING("N1", "flow", T1, "\"1\""), "bad_item"},
	    {"{\"node\":\"N1\",\"metric\":\"flow\",\"ts\":\"" T1
	     "\",\"value\":1,\"unit\":\"bar\"}",
		"bad_unit"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c = post(rows[i].body);

		cr_expect_eq(c.status, 422, "%s: %s", rows[i].reason, c.body);
		cr_expect_not_null(
		    strstr(c.body, rows[i].reason), "%s", c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nlogged, 0);
}

/* A key that may send for N2 alone, in each form of the body. */
Test(readings, outside_the_scope_of_the_key)
{
	static const struct {
		const char *media, *body;
	} rows[] = {
	    {"application/json",
		"{\"readings\":[" READING("N1", "flow", T1, "1") "," READING(
		    "N2", "level", T1, "2") "," READING("N1", "level", T1,
		    "3") "]}"},
	    {"application/x-ndjson",
		READING("N1", "flow", T1, "1") "\n" READING("N2", "level",
		    "2026-11-18T11:06:11Z",
		    "2") "\n" READING("N1", "level", T1, "3") "\n"},
	    {"text/csv",
		"node,metric,ts,value\nN1,flow," T1 ",1\n"
		"N2,level,2026-11-18T11:06:12Z,2\nN1,level," T1 ",3\n"},
	};
	struct key_row row = {.change = 1, .nodes = "N2"};
	char text[KEY_LEN + 1], bearer[KEY_LEN + 16];
	struct key key;

	key_new(&key, text);
	snprintf(bearer, sizeof(bearer), "Bearer %s", text);
	row.id = key.id;
	row.sha256 = key.sha;
	cr_assert_eq(registry_put_key(fake.api.registry, &row), ERR_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c;

		call_init(&c, METHOD_POST, "/api/v1/readings", rows[i].body);
		c.nheaders = 0;
		call_header(&c, "Content-Type", rows[i].media);
		call_header(&c, "Authorization", bearer);
		call_run(&c);
		cr_expect_eq(c.status, 200, "%s", c.body);
		cr_expect(says(&c, "\"accepted\":1"), "%s", c.body);
		cr_expect(says(&c, "\"rejected\":2"), "%s", c.body);
		cr_expect(says(&c, "not_in_scope"), "%s", c.body);
		cr_expect(says(&c, "node N1"), "%s", c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nlogged, 3);
	for (size_t i = 0; i < fake.nlogged; i++)
		cr_expect_eq(fake.logged[i].series, 3);
}

Test(readings, batch_of_rejected_is_200)
{
	struct fake_call c =
	    post("{\"readings\":[" READING("N9", "flow", T1, "10") "]}");

	cr_expect_eq(c.status, 200);
	cr_expect_not_null(strstr(c.body, "\"rejected\":1"));
	cr_expect_not_null(strstr(c.body, "unknown_series"));
	cr_expect_eq(fake.refreshes, 1);
	call_done(&c);
}

/* However many are refused and whatever their names grow to when escaped. */
Test(readings, long_answer)
{
	char name[65] = {0};
	struct fake_call c;
	struct text body;

	memset(name, 1, sizeof(name) - 1);
	text_init(&body, (size_t)1 << 20);
	text_puts(&body, "node,metric,ts,value\n");
	for (int i = 0; i < 5000; i++)
		text_printf(&body, "%s,%s," T1 ",1\n", name, name);
	cr_assert(text_ok(&body));
	call_init(&c, METHOD_POST, "/api/v1/readings", body.s);
	c.nheaders = 0;
	call_header(&c, "Content-Type", "text/csv");
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	call_run(&c);
	cr_expect_eq(c.status, 200, "%.200s", c.body);
	cr_expect_not_null(strstr(c.body, "\"rejected\":5000"));
	cr_expect_not_null(strstr(c.body, "\\u0001/\\u0001"));
	call_done(&c);
	text_done(&body);
}

static void
learn(void)
{
	put(9, "N9", "level", "m");
}

Test(readings, series_made_a_moment_ago)
{
	struct fake_call c;

	fake.on_refresh = learn;
	c = post(READING("N9", "level", T1, "10"));
	cr_expect_eq(c.status, 200, "%s", c.body);
	cr_expect_eq(fake.refreshes, 1);
	cr_expect_eq(fake.nlogged, 1);
	call_done(&c);
}

/* What cannot be looked up is not called unknown: the sender tries again. */
Test(readings, names_that_cannot_be_looked_up)
{
	static const char *const paths[] = {
	    "/api/v1/nodes/N9/latest", "/api/v1/readings?node=N9&metric=flow"};
	struct fake_call c;

	fake.refresh_fails = true;
	c = post(READING("N9", "level", T1, "10"));
	cr_expect_eq(c.status, 503);
	call_done(&c);
	for (int i = 0; i < 2; i++) {
		c = get(paths[i]);
		cr_expect_eq(c.status, 503, "%s", paths[i]);
		call_done(&c);
	}
	call_init(&c, METHOD_POST, "/api/v1/readings", "{}");
	call_header(&c, "Authorization",
	    "Bearer pk_ABCDEFGHIJKLMNOP_"
	    "0123456789012345678901234567890123456789012");
	call_run(&c);
	cr_expect_eq(c.status, 503);
	call_done(&c);
}

Test(readings, malformed_body_stores_nothing)
{
	struct fake_call c = post(
	    "{\"readings\":[" READING("N1", "flow", T1, "10") ",{\"node\":]}");

	cr_expect_eq(c.status, 400);
	cr_expect_not_null(strstr(c.body, "line 1"));
	cr_expect_eq(fake.nlogged, 0);
	call_done(&c);
	fake.api.batch_max = 1;
	c = post("{\"readings\":[" READING("N1", "flow", T1, "1") "," READING(
	    "N1", "flow", T1, "2") "]}");
	cr_expect_eq(c.status, 413);
	cr_expect_eq(fake.nlogged, 0);
	call_done(&c);
}

/* Not committed: never 200. */
Test(readings, log_full_or_lost)
{
	static const enum err fails[] = {ERR_DATABASE, ERR_INTERNAL, ERR_BUSY};
	struct fake_call c;

	fake.log_refuses = ERR_BUSY;
	c = post(READING("N1", "flow", T1, "10"));
	cr_expect_eq(c.status, 503);
	cr_expect_str_eq(call_got(&c, "Retry-After"), "1");
	call_done(&c);
	fake.log_refuses = ERR_OK;
	for (size_t i = 0; i < 3; i++) {
		char body[200];

		fake.log_fails = fails[i];
		snprintf(body, sizeof(body),
		    READING("N1", "flow", "2026-11-18T11:00:0%zuZ", "10"),
		    i + 1);
		c = post(body);
		cr_expect_eq(c.status, 503, "%s", c.body);
		call_done(&c);
	}
}

/* Not answered before the commit, and a client that left is no harm. */
Test(readings, answer_waits_for_the_commit)
{
	struct fake_call c;

	call_init(&c, METHOD_POST, "/api/v1/readings",
	    READING("N1", "flow", T1, "10"));
	call_header(&c, "Authorization", fake_bearer(ROLE_DEVICE));
	api_dispatch(&fake.api, &c.x);
	cr_expect_eq(c.answers, 0);
	cr_expect_eq(fake_waiting(), 1);
	c.x.on_gone(&c.x);
	fake_turn();
	cr_expect_eq(c.answers, 0);
	cr_expect_eq(fake.nlogged, 1);
}

Test(latest, hot)
{
	struct fake_call c;

	fake.hot[0] = (struct reading){1, 0, 36.5, T1_US, T1_US + 1500000};
	fake.hot[1] = (struct reading){2, 1, 2, T1_US, T1_US};
	fake.nhot = 2;
	c = get("/api/v1/nodes/N1/latest");
	cr_expect_eq(c.status, 200);
	cr_expect_eq(fake.nasked, 0);
	cr_expect_str_eq(c.body,
	    "{\"node\":\"N1\",\"items\":["
	    "{\"node\":\"N1\",\"metric\":\"flow\",\"unit\":\"m3/h\","
	    "\"value\":36.5,\"ts\":\"2026-11-18T11:00:00Z\","
	    "\"received_at\":\"2026-11-18T11:00:01.500000Z\","
	    "\"quality\":\"good\",\"source\":\"hot\"},"
	    "{\"node\":\"N1\",\"metric\":\"level\",\"unit\":\"m\","
	    "\"value\":2,\"ts\":\"2026-11-18T11:00:00Z\","
	    "\"received_at\":\"2026-11-18T11:00:00Z\","
	    "\"quality\":\"suspect\",\"source\":\"hot\"}],"
	    "\"stale_since\":null}",
	    "%s", c.body);
	call_done(&c);
}

/* 2000-01-01T00:00:01Z and a second later, big-endian. */
static const char second[] = {0, 0, 0, 0, 0, 0x0f, 0x42, 0x40};
static const char two_seconds[] = {0, 0, 0, 0, 0, 0x1e, (char)0x84, (char)0x80};
static const char good[] = {0, 0};
static const int warm_lens[] = {4, 8, 8, 2, 8};

/* Series 2 is in the warm tier alone, 1 in none. */
Test(latest, miss_is_read_from_the_warm_tier_and_filled_in)
{
	struct fake_rows rows[] = {
	    {.statement = ST_latest_by_series,
		.n = 1,
		.columns = 5,
		.cells = {second_ord, second, ten, good, two_seconds},
		.lens = warm_lens},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	c = get("/api/v1/nodes/N1/latest");
	cr_expect_eq(c.status, 200);
	cr_expect_not_null(strstr(c.body,
	    "\"metric\":\"flow\",\"unit\":\"m3/h\",\"value\":null,\"ts\":null,"
	    "\"received_at\":null,\"quality\":null,\"source\":null"));
	cr_expect_not_null(strstr(c.body,
	    "\"metric\":\"level\",\"unit\":\"m\",\"value\":10,"
	    "\"ts\":\"2000-01-01T00:00:01Z\","
	    "\"received_at\":\"2000-01-01T00:00:02Z\",\"quality\":\"good\","
	    "\"source\":\"warm\""));
	cr_assert_eq(fake.nfilled, 1);
	cr_expect_eq(fake.filled[0].series, 2);
	cr_expect_eq(fake.filled[0].value, 10);
	call_done(&c);
}

/* The warm tier is not asked again and again for what nobody ever sent; but
 * it is as soon as the hot tier cannot be trusted, or a reading came. */
Test(latest, series_without_any_reading)
{
	struct fake_rows rows[] = {
	    {.statement = ST_latest_by_series, .n = 0, .columns = 5},
	    {.columns = 0}};
	static const size_t asked[] = {1, 1, 2, 2, 3};

	fake.rows = rows;
	for (int i = 0; i < 5; i++) {
		struct fake_call c;

		fake.hot_refuses = i == 2 ? ERR_CACHE : ERR_OK;
		if (i == 4)
			last_seen_advance(fake.api.last_seen, 3, T1_US);
		c = get("/api/v1/nodes/N2/latest");
		cr_expect_eq(c.status, 200);
		cr_expect_not_null(strstr(c.body, "\"value\":null"));
		cr_expect_eq(fake.nasked, asked[i], "%d", i);
		call_done(&c);
	}
}

Test(latest, without_the_hot_tier_it_says_so)
{
	struct fake_rows rows[] = {
	    {.statement = ST_latest_by_series, .n = 0, .columns = 5},
	    {.columns = 0}};
	struct fake_call c;

	fake.rows = rows;
	fake.hot_refuses = ERR_CACHE;
	fake.stale_since_us = T1_US;
	c = get("/api/v1/latest");
	cr_expect_eq(c.status, 200);
	cr_expect_not_null(
	    strstr(c.body, "\"stale_since\":\"2026-11-18T11:00:00Z\""));
	call_done(&c);
}

static int
count(const char *s, const char *word)
{
	int n = 0;

	for (; (s = strstr(s, word)) != NULL; s++)
		n++;
	return (n);
}

Test(latest, of_all_by_zone_and_metric)
{
	static const struct {
		const char *path;
		int items;
	} rows[] = {
	    {"/api/v1/latest", 3},
	    {"/api/v1/latest?zone=Z1", 3},
	    {"/api/v1/latest?zone=Z2", 0},
	    {"/api/v1/latest?metric=level", 2},
	    {"/api/v1/latest?zone=Z1&metric=flow", 1},
	};
	struct fake_rows none[] = {
	    {.statement = ST_latest_by_series, .n = 0, .columns = 5},
	    {.columns = 0}};

	fake.rows = none;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c = get(rows[i].path);

		cr_expect_eq(c.status, 200);
		cr_expect_eq(
		    count(c.body, "\"metric\""), rows[i].items, "%s", c.body);
		call_done(&c);
	}
}

static bool
near_all(void *self, const int32_t *ids, size_t n, struct reading *ret)
{
	(void)self;
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct reading){ids[i], 0, ids[i], T1_US, T1_US};
	return (true);
}

static loop_timer_cb *put_off;
static void *put_off_arg;

static struct loop_timer *
after(struct loop *loop, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)ms;
	cr_assert_null(put_off);
	put_off = cb;
	put_off_arg = arg;
	return ((struct loop_timer *)(void *)loop);
}

/* Until it is answered, or left. */
static int
turns(void)
{
	loop_timer_cb *cb;
	int n = 0;

	for (; (cb = put_off) != NULL; n++, cb(put_off_arg))
		put_off = NULL;
	return (n);
}

static struct fake_call
begin_latest(const char *etag)
{
	struct fake_call c;

	call_init(&c, METHOD_GET, "/api/v1/latest", NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	if (etag != NULL)
		call_header(&c, "If-None-Match", etag);
	return (c);
}

/* Others have their turn in between, and it leaves in pieces. */
Test(latest, of_many_series_is_made_in_steps)
{
	static const struct loop_ops ops = {.after = after};
	struct loop loop = {&ops};
	struct fake_call c = begin_latest(NULL), again;
	char code[16];
	int pulls = 0, i;

	for (i = 20000; i > 3; i--) {
		(void)snprintf(code, sizeof(code), "B%d", i);
		put(i, code, "level", "m");
	}
	fake.api.loop = &loop;
	fake.api.hot.near = near_all;
	api_dispatch(&fake.api, &c.x);
	cr_assert_eq(c.answers, 0);
	cr_assert_geq(turns(), 1);
	cr_assert(c.streamed);
	for (; !c.ended; pulls++)
		call_pull(&c);
	cr_assert_not(c.cut);
	cr_assert_gt(pulls, 30);
	cr_assert_eq(count(c.body, "\"source\":\"hot\""), 20000);
	cr_assert_eq(count(c.body, "},{"), 19999);
	cr_assert_eq(count(c.body, "\"value\":17171,"), 1);
	again = begin_latest(call_got(&c, "ETag"));
	api_dispatch(&fake.api, &again.x);
	(void)turns();
	cr_assert_eq(again.status, 304);
	call_done(&again);
	call_done(&c);
	c = begin_latest(NULL);
	api_dispatch(&fake.api, &c.x);
	call_leave(&c);
	(void)turns();
	cr_assert_eq(c.answers, 0);
	call_done(&c);
}

Test(latest, unknown_node)
{
	struct fake_call c = get("/api/v1/nodes/N9/latest");

	cr_expect_eq(c.status, 404);
	cr_expect_eq(fake.refreshes, 1);
	call_done(&c);
	fake.on_refresh = learn;
	fake.hot_refuses = ERR_CACHE;
	c = get("/api/v1/nodes/N9/latest");
	cr_expect_eq(c.status, 503); /* known now; the database is away */
	call_done(&c);
}
