#include "mape/leaks.h"

#include "domain/anomaly.h"
#include "model/leak.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY	24
#define DAYS	80
#define HOURS	(DAYS * DAY)
#define FIRST	(19723 * (int64_t)DAY) /* 2024-01-01 */
#define AT(h)	((FIRST + (h)) * US_PER_HOUR)
#define RAISED	16
#define MORE	30
#define LEAK_AT (40 * DAY + 10)

/* One area, whose clock is UTC; every call of the loop takes `step` hours. */
struct world {
	double flow[HOURS];
	int64_t wall[HOURS];
	size_t step, at;
	unsigned char state[LEAK_BYTES];
	size_t state_len;
	struct leak_open open;
	struct leak_area area;
	double fell[HOURS], lost[HOURS]; /* a pressure, a neighbour's inflow */
	double meters[2]
		     [HOURS]; /* of the flow; the leak is behind the second */
	size_t more;	      /* meters that tell nothing */
	int64_t ended;
	size_t nended;
	size_t nights;
	struct night_flow last;
	size_t raised, told, cleared, commits, rollbacks;
	struct anomaly first;
	char evidence[4096];
	bool fails;
	size_t raised_at, cleared_at;
};

static uint64_t seed;

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

/* People live by the clock on the wall. */
static double
use(int64_t wall)
{
	return (100 - 50 * cos((double)(wall % DAY - 3) / DAY * 6.2831853) +
	    8 * uniform());
}

static void
fill(struct world *w, double leak, int64_t from, int64_t to)
{
	int64_t h;

	memset(w, 0, sizeof(*w));
	seed = 5;
	w->open.since_us = INSTANT_NONE;
	w->step = DAY;
	for (h = 0; h < HOURS; h++) {
		w->wall[h] = FIRST + h;
		w->fell[h] = 50 + uniform();
		w->lost[h] = use(FIRST + h);
		w->flow[h] = use(FIRST + h);
		w->meters[0][h] = 0.3 * w->flow[h];
		w->flow[h] += h >= from && h < to ? leak : 0;
		w->meters[1][h] = w->flow[h] - w->meters[0][h];
	}
}

static int64_t
now(void *self)
{
	const struct world *w = self;

	return (AT((int64_t)w->at) + LEAKS_LAG_US);
}

static enum err
begin(void *self, struct err_info *info)
{
	(void)self;
	(void)info;
	return (ERR_OK);
}

static enum err
commit(void *self, struct err_info *info)
{
	struct world *w = self;

	(void)info;
	w->commits++;
	return (ERR_OK);
}

static void
rollback(void *self)
{
	struct world *w = self;

	w->rollbacks++;
}

static enum err
raise_it(void *self, const struct anomaly *a, int64_t *ret_id, bool *ret_new,
    struct err_info *info)
{
	struct world *w = self;

	if (w->fails)
		return (err_set(info, ERR_DATABASE, NULL, "gone"));
	*ret_id = 1;
	*ret_new = w->raised == w->cleared;
	if (*ret_new) {
		w->raised++;
		w->raised_at = w->at;
		w->first = *a;
	}
	w->told++;
	(void)snprintf(w->evidence, sizeof(w->evidence), "%s", a->evidence);
	return (ERR_OK);
}

static enum err
clear_it(void *self, const struct condition *c, const struct move *m,
    struct err_info *info)
{
	struct world *w = self;

	(void)info;
	cr_expect_eq(c->type, ANOMALY_LEAK);
	cr_expect_str_eq(m->to, "cleared");
	w->cleared++;
	w->cleared_at = w->at;
	return (ERR_OK);
}

static enum err
take(void *self, struct arena *arena, int64_t ready_us, int64_t oldest_us,
    struct leak_area **ret, size_t *ret_n, struct err_info *info)
{
	struct world *w = self;

	(void)arena;
	(void)info;
	cr_expect_eq(ready_us, AT((int64_t)w->at));
	cr_expect_eq(oldest_us, ready_us + LEAKS_LAG_US - LEAKS_BACK_US);
	w->area = (struct leak_area){.lead = 7,
	    .zone = "west",
	    .meters = "[\"M/flow\"]",
	    .state = w->state,
	    .state_len = w->state_len,
	    .from_us = AT((int64_t)(w->at - w->step)),
	    .inflow = &w->flow[w->at - w->step],
	    .wall = &w->wall[w->at - w->step],
	    .n = w->step,
	    .open = w->open,
	    .ended = &w->ended,
	    .nended = w->nended};
	*ret = &w->area;
	*ret_n = 1;
	return (ERR_OK);
}

static enum err
save(void *self, const struct leak_area *a, const struct leak_result *x,
    struct err_info *info)
{
	struct world *w = self;

	(void)a;
	(void)info;
	memcpy(w->state, x->state, x->state_len);
	w->state_len = x->state_len;
	w->open = x->open;
	w->nights += x->nnights;
	if (x->nnights > 0)
		w->last = x->nights[x->nnights - 1];
	return (ERR_OK);
}

static enum err
witnesses(void *self, struct arena *arena, const struct leak_area *a,
    struct leak_look *look, struct err_info *info)
{
	static struct leak_witness list[MORE + 4];
	static const double nothing[HOURS];
	const struct world *w = self;
	const size_t from = (size_t)((look->from_us - AT(0)) / US_PER_HOUR);
	size_t i;

	(void)info;
	/* However many leaks are told at once, each has all the room. */
	cr_expect_eq(arena->used, 0);
	cr_expect_eq(a, &w->area);
	if (look->from_us < AT(0))
		return (ERR_OK); /* nothing is left of those hours */
	cr_expect_leq(from + look->n, w->at);
	list[0] =
	    (struct leak_witness){LEAK_METER, "M", "flow", &w->meters[0][from]};
	list[1] =
	    (struct leak_witness){LEAK_METER, "N", "flow", &w->meters[1][from]};
	list[2] =
	    (struct leak_witness){LEAK_PRESSURE, "NODE-7", "", &w->fell[from]};
	list[3] =
	    (struct leak_witness){LEAK_NEIGHBOUR, "east", "", &w->lost[from]};
	look->list = list;
	look->nlist = look->alone ? 2 : 4;
	for (i = 0; i < w->more; i++)
		list[look->nlist++] =
		    (struct leak_witness){LEAK_METER, "Z", "flow", nothing};
	look->wall = &w->wall[from];
	return (ERR_OK);
}

static int64_t
instant(void *self, int64_t wall)
{
	(void)self;
	return (wall * US_PER_HOUR);
}

static void
notify(void *self, const char *what, int64_t id, const char *facts)
{
	(void)self;
	(void)what;
	(void)id;
	(void)facts;
}

/* As if the service was started anew for each step. */
static enum err
judge(struct world *w)
{
	const struct ports p = {.clock = {w, now},
	    .decisions = {.self = w,
		.begin = begin,
		.commit = commit,
		.rollback = rollback,
		.anomaly_raise = raise_it,
		.anomaly_clear = clear_it},
	    .notifier = {w, notify}};
	const struct leak_port port = {w, take, save, witnesses, instant};
	struct err_info info = {0};
	struct leaks l;
	enum err err;

	leaks_init(&l);
	err = leaks_judge(&l, &p, &port, 3, &info);
	leaks_done(&l);
	return (err);
}

static void
run(struct world *w, size_t step)
{
	w->step = step;
	while (w->at + step <= HOURS) {
		w->at += step;
		cr_assert_eq(judge(w), ERR_OK);
	}
}

Test(leaks, tells_one_within_a_day_and_what_it_lost)
{
	static struct world w;

	fill(&w, 15, LEAK_AT, HOURS);
	run(&w, 1);
	cr_expect_eq(w.raised, 1, "%zu raised", w.raised);
	cr_expect_eq(w.cleared, 0);
	cr_expect_leq(w.raised_at, LEAK_AT + DAY);
	cr_expect_eq(w.first.condition.series, 7);
	cr_expect_eq(w.first.condition.type, ANOMALY_LEAK);
	cr_expect_str_eq(w.first.rule_id, "leak:step");
	cr_expect_eq(w.first.knowledge_version, 3);
	cr_expect_leq(w.first.first_us, AT(LEAK_AT + 3));
	cr_expect_geq(w.first.first_us, AT(LEAK_AT - 3));
	cr_expect_float_eq(w.open.size, 15, 3);
	cr_expect_float_eq(w.open.volume, 15 * (HOURS - LEAK_AT), 3000);
	cr_expect_gt(w.open.night, w.open.usual + 10);
	cr_expect_not_null(
	    strstr(w.evidence, "\"kind\":\"step\""), "%s", w.evidence);
	cr_expect_not_null(strstr(w.evidence, "\"zone\":\"west\""));
	cr_expect_eq(w.nights, DAYS);
	cr_expect_eq(w.last.day, 19723 + DAYS - 1);
	cr_expect_leq(w.last.least, w.last.mean);
}

/* The number behind a key of the first object that has it. */
static double
number(const char *json, const char *key)
{
	const char *found = json == NULL ? NULL : strstr(json, key);

	return (found == NULL ? NAN : strtod(found + strlen(key), NULL));
}

Test(leaks, says_what_was_expected_and_which_meter_told)
{
	static struct world w;
	const char *meter;
	double expected, value;

	fill(&w, 15, LEAK_AT, HOURS);
	run(&w, 1);
	expected = number(w.evidence, "\"expected\":");
	value = number(w.evidence, "\"value\":");
	cr_expect_float_eq(expected, 100, 2, "%s", w.evidence);
	cr_expect_float_eq(value - expected, 15, 2);
	cr_expect_float_eq(number(w.evidence, "\"band\":"), w.open.band, 1e-9);
	cr_expect_gt(w.open.band, 1);
	cr_expect_lt(w.open.band, 15);
	meter = strstr(w.evidence, "{\"node\":\"N\"");
	cr_assert_not_null(meter);
	cr_expect_gt(number(meter, "\"share\":"), 0.9);
	cr_expect_float_eq(
	    number(meter, "\"after\":") - number(meter, "\"before\":"), 15, 2);
	meter = strstr(meter, "{\"node\":\"M\"");
	cr_assert_not_null(meter, "the larger share is first");
	cr_expect_lt(number(meter, "\"share\":"), 0.1);
}

Test(leaks, says_what_the_first_twenty_meters_have_to_do_with_it)
{
	static struct world w;
	const char *at;
	double sum;
	size_t n = 0;

	fill(&w, 15, LEAK_AT, HOURS);
	w.more = MORE;
	run(&w, DAY);
	sum = number(w.evidence, "\"share_of_others\":");
	cr_expect_eq(sum, 0, "%s", w.evidence);
	for (at = w.evidence; (at = strstr(at, "{\"node\":")) != NULL; at++) {
		sum += number(at, "\"share\":");
		n++;
	}
	cr_expect_eq(n, 20);
	cr_expect_float_eq(sum, 1, 1e-9);
}

/* Growth is told of nights: those before and those of its last week. */
Test(leaks, says_what_grew)
{
	static struct world w;
	size_t h;

	fill(&w, 0, 0, 0);
	for (h = LEAK_AT; h < HOURS; h++) {
		const double more = fmin(12, (double)(h - LEAK_AT) / 30);

		w.flow[h] += more;
		w.meters[0][h] += more;
	}
	run(&w, 1);
	cr_assert_eq(w.raised, 1, "%zu raised", w.raised);
	cr_assert_str_eq(w.first.rule_id, "leak:growth");
	cr_expect_float_eq(
	    number(w.evidence, "\"expected\":"), 53, 5, "%s", w.evidence);
	cr_expect_gt(number(w.evidence, "\"value\":"),
	    number(w.evidence, "\"expected\":") +
		number(w.evidence, "\"band\":"));
	cr_expect_gt(
	    number(strstr(w.evidence, "{\"node\":\"M\""), "\"share\":"), 0.8);
}

Test(leaks, asks_pressures_and_neighbours)
{
	static struct world w;
	double alone;
	size_t h;

	fill(&w, 15, LEAK_AT, HOURS);
	run(&w, 1);
	alone = w.open.confidence;
	cr_expect_null(strstr(w.evidence, "pressure_node"));
	cr_expect_null(strstr(w.evidence, "looks_like"));
	fill(&w, 15, LEAK_AT, HOURS);
	for (h = LEAK_AT; h < HOURS; h++)
		w.fell[h] -= 4;
	run(&w, 1);
	cr_expect_not_null(strstr(w.evidence, "\"pressure_node\":\"NODE-7\""),
	    "%s", w.evidence);
	cr_expect_not_null(strstr(w.evidence, "\"pressure_change\":-"));
	cr_expect_null(strstr(w.evidence, "looks_like"));
	fill(&w, 15, LEAK_AT, HOURS);
	for (h = LEAK_AT; h < HOURS; h++)
		w.lost[h] -= 15;
	run(&w, 1);
	cr_expect_eq(w.raised, 1);
	cr_expect_not_null(
	    strstr(w.evidence, "\"looks_like\":\"boundary valve\""), "%s",
	    w.evidence);
	cr_expect_float_eq(w.open.confidence, alone, 0.1);
}

Test(leaks, clears_what_is_mended)
{
	static struct world w;

	fill(&w, 20, LEAK_AT, LEAK_AT + 10 * DAY);
	run(&w, 1);
	cr_expect_eq(w.raised, 1, "%zu raised", w.raised);
	cr_expect_eq(w.cleared, 1, "%zu cleared", w.cleared);
	cr_expect_leq(w.cleared_at, LEAK_AT + 13 * DAY);
	cr_expect_eq(w.open.since_us, INSTANT_NONE);
}

/* Hours that come at once, after a pause, tell of what ended among them; those
 * of a first look, or of an import, do not. */
Test(leaks, tells_and_clears_one_that_came_at_once)
{
	static struct world w;
	size_t from;

	for (from = 0; from <= 30 * DAY; from += 30 * DAY) {
		fill(&w, 20, LEAK_AT, LEAK_AT + 10 * DAY);
		w.at = w.step = from;
		if (from > 0)
			cr_assert_eq(judge(&w), ERR_OK);
		run(&w, HOURS - from);
		cr_expect_eq(w.raised, from > 0, "%zu raised", w.raised);
		cr_expect_eq(w.cleared, from > 0);
		cr_expect_eq(w.open.since_us, INSTANT_NONE);
		if (from > 0)
			cr_expect_float_eq(
			    number(w.evidence, "\"size\":"), 20, 4);
	}
	cr_expect_eq(w.commits, 2);
}

Test(leaks, tells_nothing_where_there_is_none)
{
	static struct world w;

	fill(&w, 0, 0, 0);
	run(&w, DAY);
	cr_expect_eq(w.raised, 0);
	cr_expect_eq(w.nights, DAYS);
}

/* However the hours come, and however often it is started anew between. */
Test(leaks, is_the_same_in_one_go_and_hour_by_hour)
{
	static struct world a, b, c;

	fill(&a, 15, LEAK_AT, HOURS);
	fill(&b, 15, LEAK_AT, HOURS);
	fill(&c, 15, LEAK_AT, HOURS);
	run(&a, 1);
	run(&b, 5 * DAY);
	run(&c, HOURS);
	cr_expect_arr_eq(a.state, b.state, LEAK_BYTES);
	cr_expect_arr_eq(a.state, c.state, LEAK_BYTES);
	cr_expect_eq(a.open.since_us, c.open.since_us);
	cr_expect_float_eq(a.open.size, c.open.size, 1e-9);
	cr_expect_float_eq(a.open.volume, c.open.volume, 1e-6);
	cr_expect_eq(b.raised, 1);
	cr_expect_eq(c.raised, 1);
	cr_expect_eq(c.nights, a.nights);
}

Test(leaks, tells_no_leak_again_that_has_ended)
{
	static struct world w;

	fill(&w, 15, LEAK_AT, HOURS);
	w.ended = AT(LEAK_AT + 2);
	w.nended = 1;
	run(&w, DAY);
	cr_expect_eq(w.raised, 0);
	cr_expect_eq(w.open.since_us, INSTANT_NONE);
}

/* Judged anew from the first hour with a leak open: it is the same leak. */
Test(leaks, knows_an_open_one_when_it_begins_anew)
{
	static struct world w;
	struct leak_open was;

	fill(&w, 15, LEAK_AT, HOURS);
	run(&w, DAY);
	was = w.open;
	w.state_len = 0;
	w.at = 0;
	run(&w, HOURS);
	cr_expect_eq(w.raised, 1);
	cr_expect_eq(w.open.since_us, was.since_us);
	cr_expect_float_eq(w.open.size, was.size, 1e-9);
	cr_expect_float_eq(w.open.volume, was.volume, 0.1 * was.volume,
	    "%g, not %g", w.open.volume, was.volume);
}

/* It became larger, and part of it was mended: neither happens again. */
Test(leaks, knows_how_an_open_one_grew_when_it_begins_anew)
{
	static struct world w;
	struct leak_open was;
	size_t h;

	fill(&w, 15, LEAK_AT, HOURS);
	for (h = LEAK_AT + 13 * DAY; h < HOURS; h++)
		w.flow[h] += h < LEAK_AT + 26 * DAY ? 25 : 12;
	run(&w, DAY);
	was = w.open;
	cr_assert_float_eq(was.size, 27, 6, "%g", was.size);
	w.state_len = 0;
	w.at = 0;
	run(&w, HOURS);
	cr_expect_eq(w.raised, 1);
	cr_expect_eq(w.cleared, 0);
	cr_expect_eq(w.open.since_us, was.since_us);
	cr_expect_float_eq(
	    w.open.size, was.size, 1e-6, "%g, not %g", w.open.size, was.size);
	cr_expect_float_eq(w.open.largest, was.largest, 1e-6, "%g, not %g",
	    w.open.largest, was.largest);
	cr_expect_float_eq(w.open.volume, was.volume, 0.1 * was.volume,
	    "%g, not %g", w.open.volume, was.volume);
}

/* Of one that began before the hours there are, these tell nothing. */
Test(leaks, keeps_an_open_one_that_it_does_not_find_again)
{
	static struct world w;

	fill(&w, 0, 0, 0);
	w.open = (struct leak_open){.growth = true,
	    .since_us = AT(-100 * DAY),
	    .size = 15,
	    .largest = 15,
	    .volume = 5};
	run(&w, HOURS);
	cr_expect_eq(w.cleared, 0);
	cr_expect_eq(w.open.since_us, AT(-100 * DAY));
	cr_expect_eq(w.open.size, 15);
	cr_expect_float_eq(w.open.volume, 15 * (HOURS + 100 * DAY), 1);
}

Test(leaks, keeps_nothing_that_was_not_told)
{
	static struct world w;

	fill(&w, 15, LEAK_AT, HOURS);
	w.fails = true;
	w.step = w.at = HOURS;
	cr_expect_eq(judge(&w), ERR_DATABASE);
	cr_expect_eq(w.rollbacks, 1);
	cr_expect_eq(w.commits, 0);
	cr_expect_eq(w.state_len, 0);
}

/* Clocks that go back repeat an hour, those that go forward leave one out; a
 * meter that is silent tells nothing. */
Test(leaks, bears_clocks_that_change_and_gaps)
{
	static struct world w;
	size_t h;

	fill(&w, 0, 0, 0);
	for (h = 20 * DAY; h < 50 * DAY; h++)
		w.flow[h] = use(++w.wall[h]);
	for (h = 30 * DAY; h < 31 * DAY + 3; h++)
		w.flow[h] = NAN;
	run(&w, DAY);
	cr_expect_eq(w.raised, 0);
	cr_expect_geq(w.nights, DAYS - 3);
	cr_expect_leq(w.nights, DAYS - 1);
}

Test(leaks, reads_no_state_of_another_version)
{
	unsigned char bytes[LEAK_BYTES];
	struct leak l;

	leak_init(&l);
	leak_pack(&l, bytes);
	cr_expect(leak_unpack(&l, bytes, sizeof(bytes)));
	cr_expect_not(leak_unpack(&l, bytes, sizeof(bytes) - 1));
	cr_expect_not(leak_unpack(&l, NULL, 0));
	bytes[0]++;
	cr_expect_not(leak_unpack(&l, bytes, sizeof(bytes)));
}
