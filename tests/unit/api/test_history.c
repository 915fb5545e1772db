#include "api/tiers.h"
#include "api/media.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(history, .init = tiers_init, .fini = fake_done);

Test(history, page)
{
	tiers_fill(WARM, 1, T1_US, 3);
	expect(Q SPAN "&limit=2", 200,
	    FLOW "\"items\":[" ITEM0 "," ITEM1 "],"
		 "\"next\":\"1794999601000000\",\"source\":\"warm\"}");
	expect(Q SPAN "&limit=2&cursor=1794999601000000", 200,
	    FLOW "\"items\":[{\"ts\":\"2026-11-18T11:00:02Z\",\"value\":2,"
		 "\"quality\":\"good\","
		 "\"received_at\":\"2026-11-18T11:00:02.001000Z\"}],"
		 "\"next\":null,\"source\":\"warm\"}");
	cr_expect_eq(tiers[WARM].asked.from_us, T1_US + US_PER_SECOND + 1);
	cr_expect_eq(tiers[WARM].asked.max, 3);
	expect(Q "&from=" T1 "&to=2026-11-18T11:00:00.000001Z"
		 "&cursor=1794999600000000",
	    200, FLOW "\"items\":[],\"next\":null,\"source\":\"warm\"}");
}

/* The last day up to now, a thousand readings at once. */
Test(history, defaults)
{
	expect(Q, 200, FLOW "\"items\":[],\"next\":null,\"source\":\"warm\"}");
	cr_expect_eq(tiers[WARM].asked.to_us, FAKE_NOW_US + 1);
	cr_expect_eq(tiers[WARM].asked.from_us, FAKE_NOW_US + 1 - US_PER_DAY);
	cr_expect_eq(tiers[WARM].asked.max, 1001);
	cr_expect_str_eq(tiers[WARM].asked.tag, "req-1");
}

Test(history, hot_answers_alone_when_it_has_all)
{
	tiers_with(HOT);
	tiers_fill(HOT, 1, T1_US, 1);
	expect(Q SPAN, 200,
	    FLOW "\"items\":[" ITEM0 "],\"next\":null,\"source\":\"hot\","
		 "\"complete\":true}");
	cr_expect_eq(tiers[WARM].reads, 0);
}

/* Refused at once or later: PostgreSQL answers, and Redis is left alone. */
Test(history, hot_that_does_not_hold_it)
{
	tiers_with(HOT);
	tiers_fill(WARM, 1, T1_US, 2);
	tiers[WARM].step = 1;
	for (int i = 0; i < 2; i++) {
		tiers[HOT].reads = 0;
		tiers[HOT].refuses = i == 0 ? ERR_CACHE : ERR_OK;
		tiers[HOT].fails = ERR_CACHE;
		expect(Q SPAN, 200,
		    FLOW "\"items\":[" ITEM0 "," ITEM1
			 "],\"next\":null,\"source\":\"warm\"}");
		cr_expect_eq(tiers[HOT].reads, 1);
	}
	tiers[HOT].reads = 0;
	expect(Q "&from=" T0 "&to=2026-01-02T00:00:00Z", 200,
	    FLOW "\"items\":[],\"next\":null,\"source\":\"warm\"}");
	cr_expect_eq(tiers[HOT].reads, 0);
}

/* Warm before an archived span, the archive, warm after it. */
Test(history, tiers_in_order_of_time)
{
	struct fake_call c;

	tiers_with(COLD);
	cold_from_us = T0_US + US_PER_DAY;
	cold_to_us = T0_US + 2 * US_PER_DAY;
	tiers_fill(WARM, 1, T0_US, 2);
	tiers_fill(COLD, 1, cold_from_us, 2);
	tiers_fill(WARM, 1, cold_to_us, 2);
	c = get(Q "&from=" T0 "&to=2026-01-04T00:00:00Z", NULL);
	cr_expect_eq(c.status, 200);
	cr_expect(says(&c, "\"source\":\"mixed\""));
	cr_expect_eq(tiers[WARM].reads, 2);
	cr_expect_eq(tiers[COLD].reads, 1);
	cr_expect_eq(tiers[COLD].asked.from_us, cold_from_us);
	cr_expect_eq(tiers[COLD].asked.to_us, cold_to_us);
	call_done(&c);
	expect(Q "&from=2026-01-02T12:00:00Z&to=2026-01-02T13:00:00Z", 200,
	    FLOW "\"items\":[],\"next\":null,\"source\":\"cold\"}");
}

Test(history, failure_is_a_problem_however_late)
{
	struct fake_call c;

	tiers_fill(WARM, 1, T1_US, 3);
	tiers[WARM].step = 1;
	tiers[WARM].fails = ERR_DATABASE;
	for (size_t i = 0; i < 3; i++) {
		tiers[WARM].reads = 0;
		tiers[WARM].fails_at = i;
		c = get(Q SPAN, NULL);
		cr_expect_eq(c.status, 503);
		call_done(&c);
	}
}

Test(history, only_what_was_known)
{
	tiers_fill(WARM, 1, T1_US, 3);
	tiers[WARM].readings[0].received_us = T1_US + US_PER_DAY;
	expect(Q SPAN "&as_known_at=2026-11-18T11:00:01.001Z", 200,
	    FLOW "\"items\":[" ITEM1 "],\"next\":null,\"source\":\"warm\"}");
	/* However few are wanted, many are asked for: most may be new. */
	expect(Q SPAN "&limit=1&as_known_at=2026-11-18T11:00:01.001Z", 200,
	    FLOW "\"items\":[" ITEM1 "],\"next\":null,\"source\":\"warm\"}");
	cr_expect_gt(tiers[WARM].asked.max, 1000);
}

/* A tier whose readings have no end, none of them known in time. */
struct endless {
	struct range range;
	range_cb *cb;
	void *arg;
};

static size_t endless_reads;

static void
nothing(void *arg)
{
	(void)arg;
}

static void
deliver_endless(void *arg)
{
	static struct reading r[10000];
	struct endless *e = arg;
	const struct err_info info = {.code = ERR_OK};
	struct range_part part = {r, 10000, e->range.to_us};

	for (int i = 0; i < 10000; i++)
		r[i] = (struct reading){
		    1, QUALITY_GOOD, 1, e->range.from_us + i, INT64_MAX};
	if (++endless_reads < 100)
		part.complete_to_us = e->range.from_us + 10000;
	e->cb(e->arg, &part, &info);
	free(e);
}

static enum err
read_endless(void *self, const struct range *range, range_cb *cb, void *arg,
    struct err_info *info)
{
	struct endless *e = malloc(sizeof(*e));

	(void)self;
	(void)info;
	cr_assert_not_null(e);
	*e = (struct endless){*range, cb, arg};
	return (fake.api.offload.run(NULL, nothing, deliver_endless, e));
}

/* What was not known takes no memory, however much of it is passed over. */
Test(history, little_was_known_of_much)
{
	fake.api.range_warm.read = read_endless;
	expect(Q SPAN "&limit=10000&as_known_at=2026-11-18T11:00:00Z", 200,
	    FLOW "\"items\":[],\"next\":null,\"source\":\"warm\"}");
	cr_expect_eq(endless_reads, 100);
}

/* Too long for one step: in pieces, and the same text. */
Test(history, long_page_is_streamed)
{
	struct fake_call c;
	const char *s;
	int n = 0;

	tiers_fill(WARM, 1, T1_US, 5000);
	tiers[WARM].step = 700;
	c = get(Q SPAN "&limit=3000", NULL);
	cr_expect_eq(c.status, 200);
	cr_expect(c.streamed && !c.cut);
	for (s = c.body; (s = strstr(s, "\"ts\":")) != NULL; s++)
		n++;
	cr_expect_eq(n, 3000);
	cr_expect(says(&c, "\"next\":\"1795002599000000\""));
	cr_expect_eq(c.body[c.body_len - 1], '}');
	call_done(&c);
}

Test(history, client_leaves)
{
	struct fake_call c;

	tiers_fill(WARM, 1, T1_US, 5000);
	for (int i = 0; i < 2; i++) {
		call_init(&c, METHOD_GET,
		    i == 0 ? Q SPAN : Q SPAN "&format=csv", NULL);
		call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
		api_dispatch(&fake.api, &c.x);
		call_leave(&c);
		fake_turn();
		cr_expect_eq(c.answers, 0);
	}
	tiers[WARM].step = 1000;
	call_init(&c, METHOD_GET, Q SPAN "&format=csv", NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	api_dispatch(&fake.api, &c.x);
	fake_turn();
	call_pull(&c);
	call_pull(&c); /* the next chunk is under way */
	call_leave(&c);
	fake_turn();
	call_done(&c);
}

Test(history, many_series)
{
	tiers_fill(WARM, 1, T1_US, 2);
	tiers_fill(WARM, 2, T1_US, 1);
	expect("/api/v1/readings?series=N1/flow,N1/level&limit=1" SPAN, 200,
	    "{\"series\":[" FLOW "\"items\":[" ITEM0 "],"
	    "\"next\":\"1794999600000000\",\"source\":\"warm\"}," LEVEL
	    "\"items\":[" ITEM0 "],\"next\":null,\"source\":\"warm\"}]}");
}

Test(history, ways_to_name_series)
{
	static const struct {
		const char *query;
		size_t n;
	} rows[] = {
	    {"series=N2/level", 1},
	    {"node=N1", 2},
	    {"node=N1&metric=flow,level", 2},
	    {"zone=Z1", 3},
	    {"zone=Z1&metric=level", 2},
	    {"zone=Z1&metric=level,flow", 3},
	    {"zone=Z1&metric=flow,flow", 1},
	    {"zone=Z1&metric=lev,vel,levels,flo", 0},
	    {"zone=Z9&metric=level", 0},
	};
	char path[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c;
		const char *s;
		size_t n = 0;

		(void)snprintf(
		    path, sizeof(path), "/api/v1/readings?%s", rows[i].query);
		c = get(path, NULL);
		cr_expect_eq(c.status, 200, "%s", path);
		for (s = c.body; (s = strstr(s, "\"node\"")) != NULL; s++)
			n++;
		cr_expect_eq(n, rows[i].n, "%s: %s", path, c.body);
		cr_expect(strncmp(c.body, "{\"series\":[", 11) == 0);
		call_done(&c);
	}
}

static void
learn(void)
{
	tiers_put(4, "N9", "flow");
}

Test(history, name_that_is_a_second_old)
{
	fake.on_refresh = learn;
	expect("/api/v1/readings?node=N9&metric=flow", 200,
	    "{\"node\":\"N9\",\"metric\":\"flow\",\"unit\":\"m\","
	    "\"items\":[],\"next\":null,\"source\":\"warm\"}");
	cr_expect_eq(fake.refreshes, 1);
}

#define CSV_HEAD "node,metric,ts,value,unit,quality,received_at\n"

Test(history, csv)
{
	struct fake_call c;

	tiers_fill(WARM, 1, T1_US, 2);
	tiers_fill(WARM, 2, T1_US, 1);
	tiers[WARM].step = 1;
	c = get("/api/v1/readings?node=N1" SPAN, "text/csv");
	cr_expect_eq(c.status, 200);
	cr_expect(got_is(
	    &c, "Content-Type", "text/csv; charset=utf-8; header=present"));
	cr_expect_str_eq(c.body,
	    CSV_HEAD "N1,flow,2026-11-18T11:00:00Z,0,m,good,"
		     "2026-11-18T11:00:00.001000Z\n"
		     "N1,flow,2026-11-18T11:00:01Z,1,m,suspect,"
		     "2026-11-18T11:00:01.001000Z\n"
		     "N1,level,2026-11-18T11:00:00Z,0,m,good,"
		     "2026-11-18T11:00:00.001000Z\n",
	    "%s", c.body);
	cr_expect(c.ended && !c.cut);
	call_done(&c);
	c = get("/api/v1/readings?zone=Z9&format=csv", NULL);
	cr_expect_str_eq(c.body, CSV_HEAD);
	cr_expect(c.ended && !c.cut);
	call_done(&c);
}

Test(history, ndjson)
{
	struct fake_call c;

	tiers_fill(WARM, 1, T1_US, 1);
	c = get(Q SPAN, "application/x-ndjson");
	cr_expect(got_is(&c, "Content-Type", "application/x-ndjson"));
	cr_expect_str_eq(c.body,
	    "{\"node\":\"N1\",\"metric\":\"flow\","
	    "\"ts\":\"2026-11-18T11:00:00Z\",\"value\":0,\"unit\":\"m\","
	    "\"quality\":\"good\","
	    "\"received_at\":\"2026-11-18T11:00:00.001000Z\"}\n",
	    "%s", c.body);
	call_done(&c);
}

static void
open_flow(struct fake_call *c)
{
	call_init(c, METHOD_GET, Q SPAN "&format=csv", NULL);
	call_header(c, "Authorization", fake_bearer(ROLE_VIEWER));
	api_dispatch(&fake.api, &c->x);
	fake_turn();
}

/* Clients that take nothing cost memory each, so there are not too many; one
 * that leaves or has all makes room. */
Test(history, so_many_streams_at_once)
{
	static struct fake_call c[65];

	tiers_fill(WARM, 1, T1_US, 3);
	for (int i = 0; i < 64; i++) {
		open_flow(&c[i]);
		cr_expect_eq(c[i].status, 200);
	}
	for (int round = 0; round < 2; round++) {
		open_flow(&c[64]);
		cr_expect_eq(c[64].status, 503);
		call_done(&c[64]);
		if (round == 0)
			call_leave(&c[0]);
		while (round == 1 && !c[1].ended) {
			call_pull(&c[1]);
			fake_turn();
		}
		call_done(&c[round]);
		open_flow(&c[round]);
		cr_expect_eq(c[round].status, 200);
	}
	for (int i = 0; i < 64; i++) {
		call_leave(&c[i]);
		call_done(&c[i]);
	}
}

/* Every reading once, in any chunking, and no more in memory than a piece
 * ahead of what the client took. */
Test(history, long_csv)
{
	static const size_t steps[] = {0, 1, 999, 5999};

	tiers_fill(WARM, 1, T1_US, 3000);
	tiers_fill(WARM, 2, T1_US, 3000);
	for (size_t i = 0; i < 4; i++) {
		struct fake_call c;
		const char *s;
		size_t lines = 0, before;

		tiers[WARM].step = steps[i];
		call_init(&c, METHOD_GET,
		    "/api/v1/readings?node=N1&format=csv" SPAN, NULL);
		call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
		api_dispatch(&fake.api, &c.x);
		fake_turn();
		while (!c.ended) {
			before = c.body_len;
			call_pull(&c);
			fake_turn();
			cr_expect_leq(c.body_len - before, 65536 + 1024);
		}
		cr_expect_not(c.cut);
		for (s = c.body; (s = strchr(s, '\n')) != NULL; s++)
			lines++;
		cr_expect_eq(lines, 6001);
		call_done(&c);
	}
}

/* Before the first byte it is a problem; later the answer is cut. */
Test(history, csv_that_cannot_be_whole)
{
	tiers_fill(WARM, 1, T1_US, 30);
	tiers[WARM].step = 10;
	tiers[WARM].fails = ERR_DATABASE;
	for (size_t i = 0; i < 3; i++) {
		struct fake_call c;

		tiers[WARM].reads = 0;
		tiers[WARM].fails_at = i;
		c = get(Q SPAN, "text/csv");
		cr_expect_eq(c.status, i == 0 ? 503 : 200);
		cr_expect_eq(c.cut, i > 0);
		call_done(&c);
	}
}

Test(history, head_of_a_csv)
{
	struct fake_call c;

	tiers_fill(WARM, 1, T1_US, 3);
	call_init(&c, METHOD_HEAD, Q SPAN "&format=csv", NULL);
	call_header(&c, "Authorization", fake_bearer(ROLE_VIEWER));
	call_run(&c);
	cr_expect_eq(c.status, 200);
	cr_expect_eq(c.body_len, 0);
	call_done(&c);
}

Test(history, media)
{
	static const char *const offered[] = {"application/json", "text/csv"};
	static const struct {
		const char *accept;
		int chosen;
	} rows[] = {
	    {NULL, 0},
	    {"", 0},
	    {"*/*", 0},
	    {"text/csv", 1},
	    {"TEXT/CSV;charset=utf-8", 1},
	    {"text/*", 1},
	    {"application/json, text/csv", 0},
	    {"application/json;q=0.5, text/csv", 1},
	    {"text/csv;q=0.9,*/*;q=0.1", 1},
	    {"*/*;q=0.9, application/json;q=0.1", 1},
	    {"application/json;q=0, */*", 1},
	    {"text/csv; header=present; q=0.2, */*;q=0.1", 1},
	    {"text/csv;q=0", -1},
	    {"text/html", -1},
	    {"text/csvx", -1},
	    {"text", -1},
	    {"*", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(media_choose(rows[i].accept, offered, 2),
		    rows[i].chosen, "%s", rows[i].accept);
}

Test(history, not_acceptable)
{
	struct fake_call c = get(Q, "text/html");

	cr_expect_eq(c.status, 406);
	call_done(&c);
}

Test(history, refused)
{
#define R "/api/v1/readings?"
	static const struct {
		const char *path;
		int status;
	} rows[] = {
	    {R "node=N7&metric=flow", 404},
	    {R "node=N7", 404},
	    {R "series=N1/flow,N1/taste", 404},
	    {R "metric=flow", 422},
	    {R "node=N1&series=N1/flow", 422},
	    {R "node=N1&zone=Z1", 422},
	    {R "series=N1/flow&metric=flow", 422},
	    {R "series=N1", 422},
	    {R "series=N1/flow,N1/flow", 422},
	    {R "node=N1&cursor=5", 422},
	    {R "zone=Z1&format=csv&limit=5", 422},
	    {Q "&format=csv&cursor=5", 422},
	    {Q "&format=csv&bucket=1h", 422},
	    {Q "&format=xml", 422},
	    {Q "&from=2026-11-18T11:00:00Z&to=2026-11-18T11:00:00Z", 422},
	    {Q "&as_known_at=yesterday", 422},
	    {Q "&cursor=x", 422},
	    {Q "&cursor=-", 422},
	    {Q "&cursor=999999999999999999", 422},
	    {Q "&agg=avg", 422},
	    {Q "&tz=UTC", 422},
	    {Q "&bucket=1h&agg=median", 422},
	    {Q "&bucket=1h&agg=avg,", 422},
	    {Q "&bucket=1h&tz=CEST", 422},
	    {Q "&bucket=1h&tz=FOO5BAR", 422},
	    {Q "&bucket=1h&tz=Europe/Rome%2B3", 422},
	    {Q "&bucket=1h&tz=Nowhere/Land-5", 422},
	    {Q "&bucket=1h&tz=Etc/GMT%2B55", 422},
	    {Q "&bucket=1h&tz=Etc/X-5", 422},
	    {Q "&bucket=1h&tz=/etc/passwd", 422},
	    {Q "&bucket=1h&tz=a/../../b", 422},
	    {Q "&bucket=1h&limit=5", 422},
	    {Q "&bucket=5m&from=2020-01-01T00:00:00Z", 422},
	    {R "series=" /* empty */, 422},
	    {R "series=N1/flow,", 422},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake_call c = get(rows[i].path, NULL);

		cr_expect_eq(c.status, rows[i].status, "%s: %d %s",
		    rows[i].path, c.status, c.body);
		call_done(&c);
	}
	cr_expect_eq(fake.nasked, 0);
	cr_expect_eq(tiers[WARM].reads, 0);
}

/* 101 series of one node, and a page of too many readings. */
Test(history, bounds_on_many_series)
{
	struct fake_call c;
	char metric[20];

	for (int i = 0; i < 98; i++) {
		(void)snprintf(metric, sizeof(metric), "m%d", i);
		tiers_put(10 + i, "N1", metric);
	}
	c = get(R "node=N1&limit=1001", NULL);
	cr_expect_eq(c.status, 422);
	call_done(&c);
	c = get(R "node=N1&bucket=5m", NULL);	   /* 100 of 288 buckets */
	cr_expect_eq(c.status, 503, "%s", c.body); /* asked: no rows here */
	call_done(&c);
	c = get(R "node=N1&bucket=5m&from=2026-11-14T00:00:00Z", NULL);
	cr_expect_eq(c.status, 422);
	call_done(&c);
	tiers_put(200, "N1", "last");
	c = get(R "node=N1", NULL);
	cr_expect_eq(c.status, 422);
	call_done(&c);
}
