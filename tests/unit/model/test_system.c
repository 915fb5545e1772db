#include "core/instant.h"
#include "model/system.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALS 5
#define LEARNT	1000
#define HOUR_US INT64_C(3600000000)

static const struct system_signal signals[SIGNALS] = {{"pu1", "status"},
    {"PU1", "flow"}, {"T1", "level"}, {"OUT", "flow"}, {"OUT", "pressure"}};
static const struct control rules[] = {
    {.link = "PU1", .node = "T1", .open = true, .level = 2},
    {.link = "PU1", .node = "T1", .above = true, .level = 4},
    {.link = "PU9", .node = "T1", .open = true, .level = 2}};

/* A pump fills a tank between 2 and 4 m; a town draws from it. */
struct place {
	uint32_t seed;
	int i;
	bool on, stuck;
	double level, hidden; /* hidden: drawn where no meter is */
	double unread;	      /* share of its inflow that a meter misses */
};

static double
uniform(struct place *p)
{
	p->seed = p->seed * 1664525 + 1013904223;
	return (p->seed / 4294967296.0);
}

static void
next(struct place *p, double *x)
{
	double demand = 30 + 10 * sin(2 * M_PI * p->i++ / 24) + uniform(p);

	p->on = p->stuck || p->level < 2 || (p->on && p->level < 4);
	x[0] = p->on;
	x[1] = (80 + uniform(p)) * p->on;
	x[2] = p->level + 0.002 * uniform(p);
	x[3] = demand + 0.2 * uniform(p);
	x[4] = 50 - 0.01 * demand * demand + 0.2 * uniform(p);
	p->level += (x[1] - demand - p->hidden) / 100;
	x[1] *= 1 - p->unread;
}

static struct system *
learnt(struct place *p)
{
	static double rows[LEARNT * SIGNALS];
	struct system *y;
	int i;

	*p = (struct place){.seed = 5, .level = 3};
	for (i = 0; i < LEARNT; i++)
		next(p, rows + (ptrdiff_t)i * SIGNALS);
	cr_assert_eq(system_new(signals, SIGNALS, rules, 3, &y), ERR_OK);
	cr_assert_eq(system_fit(y, rows, LEARNT), ERR_OK);
	return (y);
}

static double
judge(struct system *y, struct place *p)
{
	double x[SIGNALS];
	int64_t t_us = p->i * HOUR_US;

	next(p, x);
	return (system_judge(y, t_us, x));
}

Test(system, binds_rules_to_signals_by_their_names)
{
	struct place p;
	struct system *y = learnt(&p);
	int status, level;

	cr_expect_eq(system_signals(y), SIGNALS);
	cr_expect(system_bound(y, 0, &status, &level));
	cr_expect(status == 0 && level == 2);
	cr_expect_not(system_bound(y, 2, &status, &level));
	cr_expect(status == -1 && level == 2);
	system_free(y);
}

/* A file in which the tank is another's, or in feet: never below 20, the pump
 * should always run. Its other rule is kept, and holds. */
Test(system, lets_go_of_rules_that_are_not_the_places)
{
	static const struct control mixed[] = {
	    {.link = "PU1", .node = "T1", .open = true, .level = 20},
	    {.link = "PU1", .node = "T1", .above = true, .level = 1},
	    {.link = "OUT", .node = "T1", .above = true, .level = 1},
	    {.link = "PU1", .node = "T1", .open = true, .level = 2}};
	static const struct system_signal named[SIGNALS] = {{"PU1", "status"},
	    {"PU1", "flow"}, {"T1", "level"}, {"OUT", "status"},
	    {"OUT", "pressure"}};
	static double rows[LEARNT * SIGNALS];
	struct place p = {.seed = 5, .level = 3};
	double x[SIGNALS];
	struct system *y;
	int i, status, level, alarms = 0;

	for (i = 0; i < LEARNT; i++)
		next(&p, rows + (ptrdiff_t)i * SIGNALS);
	cr_assert_eq(system_new(named, SIGNALS, mixed, 4, &y), ERR_OK);
	cr_assert_eq(system_fit(y, rows, LEARNT), ERR_OK);
	cr_expect_not(system_bound(y, 2, &status, &level),
	    "what is always open is not closed above 1 m");
	cr_expect(system_bound(y, 3, &status, &level));
	for (i = 0; i < 500; i++) {
		next(&p, x);
		alarms += system_judge(y, p.i * HOUR_US, x) > 1;
	}
	cr_expect_leq(alarms, 2, "%d", alarms);
	system_free(y);
}

Test(system, says_nothing_of_what_goes_on_as_it_was)
{
	struct system_part parts[SYSTEM_PARTS_MOST];
	struct place p;
	struct system *y = learnt(&p);
	int i, alarms = 0;

	for (i = 0; i < 500; i++) {
		if (judge(y, &p) > 1) {
			alarms++;
			continue;
		}
		cr_expect_eq(system_parts(y, parts, SYSTEM_PARTS_MOST), 0);
		cr_expect_eq(system_looks_like(y), SYSTEM_UNTOLD);
		cr_expect_eq(system_since(y), INSTANT_NONE);
	}
	cr_expect_leq(alarms, 2, "%d", alarms);
	system_free(y);
}

Test(system, explains_a_pump_that_works_against_its_rule)
{
	struct system_part parts[SYSTEM_PARTS_MOST];
	struct place p;
	struct system *y = learnt(&p);
	int64_t since = INSTANT_NONE;
	bool told = false;
	double share;
	size_t n, k;
	int i;

	p.stuck = true;
	for (i = 0; i < 60; i++) {
		if (!(judge(y, &p) > 1)) {
			since = INSTANT_NONE;
			continue;
		}
		if (since == INSTANT_NONE)
			since = (p.i - 1) * HOUR_US;
		cr_expect_eq(system_since(y), since);
		n = system_parts(y, parts, SYSTEM_PARTS_MOST);
		for (share = 0, k = 0; k < n; k++) {
			share += parts[k].share;
			if (parts[k].rule != SYSTEM_CONTROL)
				continue;
			told = true;
			cr_expect_eq(parts[k].signal, 0);
			cr_expect_eq(parts[k].control->level, 4);
			cr_expect(
			    parts[k].value == 1 && parts[k].expected == 0);
			cr_expect_gt(parts[k].share, 0);
			cr_expect_eq(system_looks_like(y), SYSTEM_MANIPULATION);
		}
		cr_expect_float_eq(share, 1, 1e-9);
	}
	cr_expect(told);
	system_free(y);
}

/* The step of the first balance that is open, and what it is open by then and
 * when it has settled. */
static int
open_balance(struct place *p, struct system *y, double *ret_missing)
{
	struct system_part parts[SYSTEM_PARTS_MOST];
	double all = 0;
	int i, first = -1, told = 0;
	size_t n, k;

	for (i = 0; i < 96; i++) {
		(void)judge(y, p);
		n = system_parts(y, parts, SYSTEM_PARTS_MOST);
		for (k = 0; k < n && parts[k].rule != SYSTEM_BALANCE; k++)
			;
		if (k == n)
			continue;
		cr_expect_eq(parts[k].signal, 2);
		if (first < 0)
			first = i;
		if (i >= 48) {
			all += parts[k].missing;
			told++;
		}
	}
	*ret_missing = told > 0 ? all / told : 0;
	return (first);
}

Test(system, finds_what_is_drawn_where_no_meter_is)
{
	struct place p;
	struct system *y = learnt(&p);
	double missing;
	int first;

	cr_expect_eq(open_balance(&p, y, &missing), -1);
	p.hidden = 10;
	first = open_balance(&p, y, &missing);
	cr_expect(first >= 0 && first < 12, "after %d", first);
	cr_expect_float_eq(missing, -10, 2, "%g", missing);
	cr_expect_gt(judge(y, &p), 1);
	cr_expect_eq(system_looks_like(y), SYSTEM_PROCESS);
	system_free(y);
}

/* A fifth of 80 while the pump runs, which is half of the time. */
Test(system, finds_a_meter_that_reads_too_little)
{
	struct place p;
	struct system *y = learnt(&p);
	double missing;
	int first;

	p.unread = 0.2;
	first = open_balance(&p, y, &missing);
	cr_expect(first >= 0 && first < 12, "after %d", first);
	cr_expect(missing > 5 && missing < 20, "%g", missing);
	system_free(y);
}

Test(system, tells_at_most_as_many_parts_as_there_is_room)
{
	struct system_part parts[2];
	struct place p;
	struct system *y = learnt(&p);

	p.stuck = true;
	while (!(judge(y, &p) > 1))
		cr_assert_lt(p.i, LEARNT + 500);
	cr_expect_eq(system_parts(y, parts, 0), 0);
	cr_expect_eq(system_parts(y, parts, 1), 1);
	system_free(y);
}

static struct system *
again(const struct system *y)
{
	struct system *ret;
	unsigned char *bytes;
	size_t len;

	cr_assert_eq(system_pack(y, &bytes, &len), ERR_OK);
	cr_assert_eq(system_unpack(bytes, len, &ret), ERR_OK);
	free(bytes);
	return (ret);
}

/* The fewer false alarms may come, the further off is too far; and it is kept
 * through a fit and through bytes. */
Test(system, alarms_by_how_many_false_alarms_may_come)
{
	static const double a_step[] = {0.1, 0.01, 1e-3, 1e-5, 1e-7};
	double x[SIGNALS], ratio, before = 1e9;
	unsigned char *bytes;
	struct place p;
	struct system *y = learnt(&p), *z;
	size_t len, i;

	next(&p, x);
	x[3] += 15;
	cr_assert_eq(system_pack(y, &bytes, &len), ERR_OK);
	system_free(y);
	for (i = 0; i < sizeof(a_step) / sizeof(a_step[0]); i++) {
		cr_assert_eq(system_unpack(bytes, len, &y), ERR_OK);
		system_target(y, a_step[i]);
		z = again(y);
		ratio = system_judge(y, HOUR_US, x);
		cr_expect_eq(system_judge(z, HOUR_US, x), ratio);
		cr_expect(i < 2 || ratio < before, "%g", a_step[i]);
		before = ratio;
		system_free(y);
		system_free(z);
	}
	free(bytes);
}

static void
expect_same(const struct system *a, const struct system *b)
{
	unsigned char *p, *q;
	size_t n, m;

	cr_assert_eq(system_pack(a, &p, &n), ERR_OK);
	cr_assert_eq(system_pack(b, &q, &m), ERR_OK);
	cr_expect(n == m && memcmp(p, q, n) == 0);
	free(p);
	free(q);
}

/* Through calm, a replay and a pump that is stuck, packed at every step. */
Test(system, goes_on_from_its_bytes_as_if_it_never_stopped)
{
	struct system_part parts[2][SYSTEM_PARTS_MOST];
	double x[SIGNALS], before[200][SIGNALS];
	struct place p;
	struct system *y = learnt(&p), *z = again(y), *next_z;
	double a, b;
	size_t n;
	int i;

	for (i = 0; i < 200; i++) {
		p.stuck = i >= 150;
		next(&p, x);
		memcpy(before[i], x, sizeof(x));
		if (i >= 100 && i < 120)
			x[3] = before[i - 30][3];
		a = system_judge(y, p.i * HOUR_US, x);
		b = system_judge(z, p.i * HOUR_US, x);
		cr_expect(memcmp(&a, &b, sizeof(a)) == 0);
		n = system_parts(y, parts[0], SYSTEM_PARTS_MOST);
		cr_expect_eq(system_parts(z, parts[1], SYSTEM_PARTS_MOST), n);
		expect_same(y, z);
		next_z = again(z);
		system_free(z);
		z = next_z;
		cr_expect_eq(system_looks_like(y), system_looks_like(z));
		cr_expect_eq(system_since(y), system_since(z));
	}
	cr_expect_gt(a, 1);
	system_free(y);
	system_free(z);
}

Test(system, refuses_bytes_that_are_not_its_own)
{
	struct place p;
	struct system *y = learnt(&p), *z = NULL;
	unsigned char *bytes;
	size_t len, i;

	cr_assert_eq(system_pack(y, &bytes, &len), ERR_OK);
	system_free(y);
	for (i = 0; i < len; i += 1 + i / 8)
		cr_expect_eq(
		    system_unpack(bytes, i, &z), ERR_INVALID, "%zu", i);
	bytes[0] ^= 0x80;
	cr_expect_eq(system_unpack(bytes, len, &z), ERR_INVALID);
	bytes[0] ^= 0x80;
	memset(bytes + 8, 0xff, 8);
	cr_expect_eq(system_unpack(bytes, len, &z), ERR_INVALID);
	cr_expect_null(z);
	free(bytes);
}

Test(system, learns_rules_and_replays_where_the_rest_is_too_little)
{
	double x[30 * SIGNALS], *last = x + (ptrdiff_t)29 * SIGNALS;
	struct place p = {.seed = 5, .level = 3};
	struct system *y;
	int i;

	for (i = 0; i < 30; i++)
		next(&p, x + (ptrdiff_t)i * SIGNALS);
	cr_assert_eq(system_new(signals, SIGNALS, rules, 3, &y), ERR_OK);
	cr_expect_eq(system_fit(y, x, 30), ERR_INVALID);
	last[0] = 1;
	last[2] = 9;
	cr_expect_gt(system_judge(y, HOUR_US, last), 1);
	cr_expect_eq(system_looks_like(y), SYSTEM_MANIPULATION);
	system_free(y);
}

Test(system, takes_no_more_signals_than_can_be_judged)
{
	struct system *y;
	size_t i;

	cr_assert_eq(system_new(NULL, 0, NULL, 0, &y), ERR_OK);
	for (i = 0; i < SYSTEM_SIGNALS_MOST; i++)
		cr_assert_eq(system_add(y, &signals[0]), ERR_OK);
	cr_expect_eq(system_add(y, &signals[0]), ERR_INVALID);
	system_free(y);
}
