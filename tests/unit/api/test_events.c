/* GET /api/v1/stream: who is told what, from where, and when it ends. */
#include "api/events.h"
#include "api/fake.h"

#include "core/loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS 64

/* Timers go off when a test says so. */
static struct {
	loop_timer_cb *cb;
	void *arg;
	unsigned ms;
} timers[TIMERS];

static struct loop_timer *
after(struct loop *l, unsigned ms, loop_timer_cb *cb, void *arg)
{
	(void)l;
	for (size_t i = 0; i < TIMERS; i++)
		if (timers[i].cb == NULL) {
			timers[i].cb = cb;
			timers[i].arg = arg;
			timers[i].ms = ms;
			return ((struct loop_timer *)&timers[i]);
		}
	abort();
}

static struct loop_timer *
soon(struct loop *l, loop_timer_cb *cb, void *arg)
{
	return (after(l, 0, cb, arg));
}

static void
cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	memset(t, 0, sizeof(timers[0]));
}

static const struct loop_ops ops = {
    .after = after, .soon = soon, .cancel = cancel};
static struct loop loop = {.ops = &ops};

/* Those of up to `ms`, and what they set off that is due at once. */
static void
go_off(unsigned ms)
{
	loop_timer_cb *cb;
	bool any;

	for (unsigned limit = ms;; limit = 0) {
		any = false;
		for (size_t i = 0; i < TIMERS; i++) {
			if ((cb = timers[i].cb) == NULL || timers[i].ms > limit)
				continue;
			timers[i].cb = NULL;
			cb(timers[i].arg);
			any = true;
		}
		fake_turn();
		if (!any)
			return;
	}
}

static int64_t later_us;

static int64_t
monotonic(void)
{
	return (INT64_C(1000000000) + later_us);
}

static int64_t
now(void)
{
	return (FAKE_NOW_US + later_us);
}

static void
init(void)
{
	static const struct events_config config = {3, 2, 5000};

	fake_init();
	memset(timers, 0, sizeof(timers));
	later_us = 0;
	fake.api.clocks.monotonic_us = monotonic;
	fake.api.clocks.now_us = now;
	fake.api.loop = &loop;
	fake.api.events = events_new(&fake.api, &config);
	cr_assert_not_null(fake.api.events);
}

static void
fini(void)
{
	events_free(fake.api.events);
	fake.api.events = NULL;
	fake_done();
}

TestSuite(events, .init = init, .fini = fini);

#define ROW(id, kind, type, zone) "0", id, kind, type, zone, "{\"of\": " id "}"
#define NONE			  "0", NULL, NULL, NULL, NULL, NULL

static const struct fake_rows from_10[] = {
    {ST_events_begin, ERR_OK, NULL, 1, 2, {"10", NULL}, NULL},
    {ST_events_after, ERR_OK, NULL, 1, 6, {NONE}, NULL}, {.columns = 0}};
static const struct fake_rows from_10_in_5[] = {
    {ST_events_begin, ERR_OK, NULL, 1, 2, {"10", "7,5"}, NULL},
    {ST_events_after, ERR_OK, NULL, 1, 6, {NONE}, NULL}, {.columns = 0}};
static const struct fake_rows three_more[] = {
    {ST_events_begin, ERR_OK, NULL, 1, 2, {"13", NULL}, NULL},
    {ST_events_after, ERR_OK, NULL, 3, 6,
	{ROW("11", "plan", "plan.proposed", "5"),
	    ROW("12", "loop", "loop.paused", NULL),
	    ROW("13", "anomaly", "anomaly.open", NULL)},
	NULL},
    {.columns = 0}};
static const struct fake_rows odd_kinds[] = {
    {ST_events_after, ERR_OK, NULL, 2, 6,
	{ROW("11", "webhook", "webhook.dead", NULL),
	    ROW("12", "weather", "weather.rain", NULL)},
	NULL},
    {.columns = 0}};
static const struct fake_rows away[] = {
    {ST_events_after, ERR_DATABASE, NULL, 0, 0, {NULL}, NULL}, {.columns = 0}};

/* Dispatched, answered by the database, and greeted. */
static void
open_call(
    struct fake_call *c, const char *query, const char *last, enum role who)
{
	call_init(c, METHOD_GET, "/api/v1/stream", NULL);
	c->x.query = query;
	call_header(c, "Authorization", fake_bearer(who));
	if (last != NULL)
		call_header(c, "Last-Event-ID", last);
	api_dispatch(&fake.api, &c->x);
	fake_turn();
}

static void
drain(struct fake_call *c)
{
	while (c->hungry && !c->ended) {
		size_t before = c->body_len;

		call_pull(c);
		fake_turn();
		if (c->body_len == before)
			return;
	}
}

/* What came since. */
static void
told(struct fake_call *c, const char *text)
{
	cr_assert_not_null(c->body, "nothing, not %s", text);
	cr_assert_not_null(strstr(c->body, text), "%s, not %s", c->body, text);
}

static void
untold(const struct fake_call *c, const char *text)
{
	cr_assert(c->body == NULL || strstr(c->body, text) == NULL,
	    "%s with %s", c->body, text);
}

static void
happen(const struct fake_rows *rows)
{
	fake.rows = rows;
	fake.nasked = 0;
	events_notified(fake.api.events);
	fake_turn();
	go_off(0);
}

Test(events, are_told_in_order_to_whom_they_fit)
{
	static const struct {
		const char *query, *told[3], *untold;
		const struct fake_rows *begun;
	} of[] = {
	    {"",
		{"id: 11\nevent: plan.proposed\ndata: {\"of\": 11}\n\n"
		 "id: 12\nevent: loop.paused\n",
		    "id: 13\n"},
		"id: 14", from_10},
	    {"type=plan", {"id: 11\n"}, "id: 12", from_10},
	    {"type=plan.proposed,anomaly", {"id: 11\n", "id: 13\n"}, "id: 12",
		from_10},
	    {"type=plan.worked", {"id: 10\n"}, "id: 11", from_10},
	    {"zone=A,B", {"id: 11\n", "id: 12\n"}, "id: 13", from_10_in_5},
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		struct fake_call c;

		fake.rows = of[i].begun;
		open_call(&c, of[i].query, NULL, ROLE_VIEWER);
		cr_assert_eq(c.status, 200);
		drain(&c);
		happen(three_more);
		for (int j = 0; j < 3 && of[i].told[j] != NULL; j++)
			told(&c, of[i].told[j]);
		untold(&c, of[i].untold);
		call_leave(&c);
		call_done(&c);
	}
}

Test(events, of_webhooks_and_unknown_kinds_are_for_admins)
{
	struct fake_call v, m;

	fake.rows = from_10;
	open_call(&v, "", NULL, ROLE_ENGINEER);
	open_call(&m, "", NULL, ROLE_ADMIN);
	drain(&v);
	drain(&m);
	happen(odd_kinds);
	told(&m, "weather.rain");
	told(&m, "webhook.dead");
	untold(&v, "weather");
	untold(&v, "webhook");
	call_leave(&v);
	call_leave(&m);
	call_done(&v);
	call_done(&m);
}

Test(events, go_on_behind_the_last_that_was_heard)
{
	struct fake_call c;

	fake.rows = three_more;
	open_call(&c, "after=12", "10", ROLE_VIEWER);
	drain(&c);
	told(&c, "id: 10\n\nretry: ");
	told(&c, "id: 11\nevent: plan");
	told(&c, "id: 13\n");
	cr_assert_str_eq(fake.asked[2].params[0], "10");
	call_leave(&c);
	call_done(&c);
}

Test(events, are_asked_for_again_when_the_database_is_back)
{
	struct fake_call c;

	fake.rows = from_10;
	open_call(&c, "", NULL, ROLE_VIEWER);
	drain(&c);
	happen(away);
	untold(&c, "id: 11");
	fake.rows = three_more;
	go_off(1000);
	told(&c, "id: 13\n");
	call_leave(&c);
	call_done(&c);
}

Test(events, a_slow_listener_is_told_that_he_is)
{
	struct fake_rows flood[] = {
	    {ST_events_after, ERR_OK, NULL, 1, 6, {NULL}, NULL},
	    {.columns = 0}};
	size_t big = (size_t)1 << 20;
	char *body = malloc(big + 1), id[24];
	struct fake_call c;

	memset(body, 'x', big);
	body[big] = '\0';
	fake.rows = from_10;
	open_call(&c, "", NULL, ROLE_VIEWER);
	drain(&c);
	c.hungry = false;
	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "%d", 11 + i);
		flood[0].cells[0] = "0";
		flood[0].cells[1] = id;
		flood[0].cells[2] = "plan";
		flood[0].cells[3] = "plan.proposed";
		flood[0].cells[5] = body;
		happen(flood);
	}
	cr_assert(c.ended && !c.cut);
	told(&c, "event: end\ndata: {\"reason\": \"too_slow\"}\n\n");
	free(body);
	call_done(&c);
}

Test(events, listeners_are_told_that_somebody_is_there)
{
	struct fake_call c;

	fake.rows = from_10;
	open_call(&c, "type=plan.worked", NULL, ROLE_VIEWER);
	drain(&c);
	happen(three_more);
	go_off(1000);
	untold(&c, ":\nid");
	later_us = 5000000;
	fake.rows = from_10;
	go_off(1000);
	told(&c, ":\nid: 13\n\n"); /* heard, if not told */
	call_leave(&c);
	call_done(&c);
}

static void
ends(const char *reason)
{
	struct fake_call c;

	fake.rows = from_10;
	open_call(&c, "", NULL, ROLE_VIEWER);
	drain(&c);
	go_off(1000);
	cr_assert_not(c.ended);
	if (strcmp(reason, "token_expired") == 0)
		later_us = INT64_C(86400000000);
	else if (strcmp(reason, "stopping") == 0)
		fake.draining = true;
	else
		cr_assert_eq(revoked_put(fake.api.revoked,
				 &(struct revoked_row){FAKE_SESSION,
				     FAKE_NOW_US + 900000000, 1, 0},
				 FAKE_NOW_US),
		    ERR_OK);
	go_off(1000);
	cr_assert(c.ended && !c.cut);
	told(&c, reason);
	call_done(&c);
}

Test(events, end_with_the_token)
{
	ends("token_expired");
}

Test(events, end_with_the_session)
{
	ends("session_ended");
}

Test(events, end_when_the_service_stops)
{
	ends("stopping");
}

Test(events, listeners_are_bounded)
{
	struct fake_call c[4];

	fake.rows = from_10;
	open_call(&c[0], "", NULL, ROLE_VIEWER);
	open_call(&c[1], "", NULL, ROLE_VIEWER);
	open_call(&c[2], "", NULL, ROLE_VIEWER);
	cr_assert_eq(c[2].status, 429);
	call_done(&c[2]);
	open_call(&c[2], "", NULL, ROLE_ADMIN);
	cr_assert_eq(c[2].status, 200);
	open_call(&c[3], "", NULL, ROLE_OPERATOR);
	cr_assert_eq(c[3].status, 503);
	call_done(&c[3]);
	call_leave(&c[0]);
	open_call(&c[3], "", NULL, ROLE_OPERATOR);
	cr_assert_eq(c[3].status, 200);
	for (int i = 1; i < 4; i++)
		call_leave(&c[i]);
	for (int i = 0; i < 4; i++)
		call_done(&c[i]);
}

Test(events, who_leaves_while_he_is_answered_is_forgotten)
{
	struct fake_call c;

	fake.rows = three_more;
	open_call(&c, "", "5", ROLE_VIEWER);
	call_pull(&c); /* greeted */
	c.hungry = false;
	c.pull(&c.x); /* asks for a page */
	call_leave(&c);
	fake_turn();
	go_off(1000);
	untold(&c, "id: 11");
	call_done(&c);
}
