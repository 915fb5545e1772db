#include "model/controls.h"
#include "model/joint.h"
#include "model/replay.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEPS	2000
#define SIGNALS 4

static double
uniform(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed / 4294967296.0);
}

/* Two inflows, what flows out, and something that only wanders. */
static void
next(double *x, uint32_t *seed)
{
	x[0] = 10 + 5 * uniform(seed);
	x[1] = 20 + 5 * uniform(seed);
	x[2] = x[0] + x[1] + 0.05 * (uniform(seed) - 0.5);
	x[3] += uniform(seed) - 0.5;
}

/* `wrong` steps of what is learnt are not as they should be, `empty` are not
 * there at all. */
static struct joint *
learnt_of(uint32_t *seed, double *x, int wrong, int empty)
{
	static double rows[STEPS * SIGNALS];
	struct joint *m;
	int i, j;

	for (i = 0; i < STEPS; i++) {
		next(x, seed);
		memcpy(rows + i * SIGNALS, x, SIGNALS * sizeof(*x));
		if (i >= 900 && i < 900 + wrong)
			rows[i * SIGNALS + 2] += 6;
		for (j = 0; j < SIGNALS && i >= 300 && i < 300 + empty; j++)
			rows[i * SIGNALS + j] = NAN;
	}
	cr_assert_eq(joint_fit(rows, STEPS, SIGNALS, &m), ERR_OK);
	return (m);
}

static struct joint *
learnt(uint32_t *seed, double *x)
{
	return (learnt_of(seed, x, 0, 0));
}

/* 30 + 3 is nothing odd by itself: the sum lies between 30 and 40. */
static void
expect_wrong_sum(int wrong, int empty)
{
	struct joint_part parts[SIGNALS];
	double x[SIGNALS] = {0}, honest;
	uint32_t seed = 1;
	struct joint *m = learnt_of(&seed, x, wrong, empty);
	int i, found = -1;

	for (i = 0; i < 500; i++) {
		next(x, &seed);
		cr_expect_leq(joint_judge(m, x, parts), 1, "step %d", i);
	}
	for (i = 0; i < 48 && found < 0; i++) {
		next(x, &seed);
		honest = x[2];
		x[2] += 3;
		if (joint_judge(m, x, parts) <= 1)
			continue;
		found = i;
		cr_expect_gt(parts[2].ratio, parts[3].ratio);
		cr_expect_float_eq(parts[2].expected, honest, 0.5);
	}
	cr_expect(found >= 0 && found < 6, "after %d steps", found);
	joint_free(m);
}

Test(joint, finds_a_sum_that_is_wrong)
{
	expect_wrong_sum(0, 0);
}

Test(joint, is_not_blind_to_what_it_learnt_with)
{
	expect_wrong_sum(80, 0);
}

Test(joint, learns_around_gaps)
{
	expect_wrong_sum(0, 500);
	expect_wrong_sum(80, 500);
}

Test(joint, does_without_a_signal_that_is_missing)
{
	struct joint_part parts[SIGNALS];
	double x[SIGNALS] = {0}, gap[SIGNALS];
	uint32_t seed = 2;
	struct joint *m = learnt(&seed, x);

	next(x, &seed);
	memcpy(gap, x, sizeof(gap));
	gap[2] = NAN;
	cr_expect(isfinite(joint_judge(m, gap, parts)));
	cr_expect_eq(parts[2].ratio, 0);
	joint_free(m);
}

/* The highest ratio of 30 steps in which the sum is off, and something else tells
 * of it; calm before. */
static double
highest(struct joint *m, double off, double other, double *x, uint32_t *seed)
{
	struct joint_part parts[SIGNALS];
	double most = 0, ratio;
	int i;

	for (i = 0; i < 90; i++) {
		next(x, seed);
		x[2] += i < 60 ? 0 : off;
		ratio = joint_judge(m, x, parts);
		joint_learn(m, parts, i < 60 ? ratio : fmax(ratio, other));
		most = i < 60 ? 0 : fmax(most, ratio);
	}
	return (most);
}

/* How far off the first inflow may be, which knows the sum best. */
static double
allowed(struct joint *m, double *x, uint32_t *seed)
{
	struct joint_part parts[SIGNALS];

	next(x, seed);
	joint_learn(m, parts, joint_judge(m, x, parts));
	return (parts[0].band);
}

Test(joint, takes_for_usual_what_was_near_and_is_over)
{
	double x[SIGNALS] = {0}, off;
	uint32_t seed = 3;
	struct joint *m = learnt(&seed, x);

	off = 1.5 * allowed(m, x, &seed);
	cr_expect_gt(highest(m, off, 0, x, &seed), 1);
	cr_expect_leq(highest(m, off, 0, x, &seed), 1);
	joint_free(m);
}

Test(joint, does_not_take_an_event_for_usual)
{
	double x[SIGNALS] = {0}, off, before;
	uint32_t seed = 4;
	struct joint *m = learnt(&seed, x);
	int i;

	off = 4 * allowed(m, x, &seed);
	before = allowed(m, x, &seed);
	for (i = 0; i < 5; i++)
		cr_expect_gt(highest(m, off, 0, x, &seed), 2, "%d", i);
	cr_expect_leq(allowed(m, x, &seed), before);
	joint_free(m);
}

/* A pump works against its rule: what else is seen is part of that. */
Test(joint, learns_nothing_of_what_another_rule_tells)
{
	double x[SIGNALS] = {0}, off;
	uint32_t seed = 3;
	struct joint *m = learnt(&seed, x);

	off = 1.5 * allowed(m, x, &seed);
	cr_expect_gt(highest(m, off, 2, x, &seed), 1);
	cr_expect_gt(highest(m, off, 0, x, &seed), 1);
	joint_free(m);
}

/* Whatever went before, three limits are the most that counts as usual. */
Test(joint, does_not_learn_to_bear_with_everything)
{
	double x[SIGNALS] = {0}, first, off;
	uint32_t seed = 5;
	struct joint *m = learnt(&seed, x);
	int i;

	first = allowed(m, x, &seed);
	for (i = 0; i < 20; i++) {
		off = 1.5 * allowed(m, x, &seed);
		(void)highest(m, off, 0, x, &seed);
	}
	cr_expect_leq(allowed(m, x, &seed), 3.001 * first);
	cr_expect_gt(highest(m, 4 * first, 0, x, &seed), 1);
	joint_free(m);
}

/* Alarms that stand six steps apart, in steps that stray further than what
 * was learnt, some of them further still. */
static int
episodes(double a_step, int steps)
{
	struct joint_part parts[SIGNALS];
	double x[SIGNALS] = {0}, off = 0, ratio;
	uint32_t seed = 6;
	struct joint *m = learnt(&seed, x);
	int i, n = 0, calm = JOINT_STEPS_LEAST;

	joint_target(m, a_step);
	for (i = 0; i < steps; i++) {
		next(x, &seed);
		if (i % 50 == 0)
			off = -0.03 * log(1 - uniform(&seed));
		x[2] += i % 50 < 12 ? off : 0;
		ratio = joint_judge(m, x, parts);
		joint_learn(m, parts, ratio);
		if (ratio > 1) {
			n += calm >= 6;
			calm = 0;
		} else
			calm++;
	}
	joint_free(m);
	return (n);
}

Test(joint, keeps_to_as_many_alarms_as_may_come)
{
	static const int asked[] = {1, 10, 100};
	size_t i;
	int n, before = 0;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		n = episodes(asked[i] / 20000.0, 20000);
		cr_expect_leq(n, 2 * asked[i] + 2, "%d: %d", asked[i], n);
		cr_expect_geq(n, before);
		before = n;
	}
	cr_expect_gt(before, 0);
}

/* Six meters of one demand, each with its own factor and noise. */
#define METERS 6

static void
read_meters(double *x, int i, uint32_t *seed)
{
	double demand = 30 + 10 * sin(2 * M_PI * i / 24) + 3 * uniform(seed);
	int j;

	for (j = 0; j < METERS; j++)
		x[j] = demand * (1 + j / 10.0) + uniform(seed) - 0.5;
}

/* How many of the last 48 steps are blamed on meter 1 alone, on none. */
static void
blame(int broken, int *ret_one, int *ret_none)
{
	static double rows[STEPS * METERS];
	struct joint_part parts[METERS];
	double x[METERS];
	uint32_t seed = 7;
	struct joint *m;
	int i, j;

	for (i = 0; i < STEPS; i++)
		read_meters(rows + i * METERS, i, &seed);
	cr_assert_eq(joint_fit(rows, STEPS, METERS, &m), ERR_OK);
	cr_assert_eq(joint_alone(m), METERS);
	for (*ret_one = *ret_none = 0; i < STEPS + 96; i++) {
		read_meters(x, i, &seed);
		for (j = 1; j <= broken; j++)
			x[j] += 6;
		(void)joint_judge(m, x, parts);
		*ret_one += i >= STEPS + 48 && joint_alone(m) == 1;
		*ret_none += i >= STEPS + 48 && joint_alone(m) == METERS;
	}
	joint_free(m);
}

/* What one of six says and none confirms is that one's; what three say of six
 * nobody is alone with. */
Test(joint, knows_an_instrument_that_is_wrong_by_itself)
{
	int one, none;

	blame(0, &one, &none);
	cr_expect_eq(none, 48);
	blame(1, &one, &none);
	cr_expect_geq(one, 40, "%d", one);
	blame(3, &one, &none);
	cr_expect_eq(none, 48, "%d", none);
}

Test(joint, refuses_what_it_cannot_learn_from)
{
	static const double x[2 * JOINT_STEPS_LEAST];
	struct joint *m = NULL;

	cr_expect_eq(joint_fit(x, JOINT_STEPS_LEAST - 1, 2, &m), ERR_INVALID);
	cr_expect_eq(joint_fit(x, JOINT_STEPS_LEAST, 1, &m), ERR_INVALID);
	cr_expect_eq(
	    joint_fit(x, JOINT_STEPS_LEAST, JOINT_SIGNALS_MOST + 1, &m),
	    ERR_INVALID);
	cr_expect_null(m);
	cr_assert_eq(joint_fit(x, JOINT_STEPS_LEAST, 2, &m), ERR_OK,
	    "signals that never move are learnt, and say nothing");
	joint_free(m);
}

/* Most of the time may be missing, as after an outage or an event that lasted;
 * but what lies in one quarter alone nothing else vouches for. */
Test(joint, learns_from_what_is_there)
{
	static double rows[STEPS * SIGNALS];
	static const int from[] = {STEPS, STEPS * 4 / 5, STEPS * 2 / 5, 0};
	struct joint_part parts[SIGNALS];
	struct joint *m = NULL;
	uint32_t seed = 9;
	double x[SIGNALS] = {0};
	int i, j, k;

	for (k = 0; k < 4; k++) {
		for (i = 0; i < STEPS; i++) {
			next(x, &seed);
			for (j = 0; j < SIGNALS; j++)
				rows[i * SIGNALS + j] =
				    i < from[k] ? (double)NAN : x[j];
		}
		cr_assert_eq(joint_fit(rows, STEPS, SIGNALS, &m),
		    k < 2 ? ERR_INVALID : ERR_OK, "from %d", from[k]);
		joint_free(m);
		m = NULL;
	}
	for (i = 0; i < STEPS; i++)
		for (j = 0; j < SIGNALS && i % 1000 < 600; j++)
			rows[i * SIGNALS + j] = NAN;
	cr_assert_eq(joint_fit(rows, STEPS, SIGNALS, &m), ERR_OK);
	for (i = 0, k = 0; i < 24; i++) {
		next(x, &seed);
		x[2] += 6;
		k += joint_judge(m, x, parts) > 1;
	}
	cr_expect_gt(k, 12, "%d", k);
	joint_free(m);
}

#define BLOCKS 8

/* Events here and there that would leave nothing to learn from are the way of
 * the place. */
Test(joint, leaves_no_more_out_than_it_keeps)
{
	static double rows[STEPS * BLOCKS];
	struct joint *m;
	uint32_t seed = 11;
	int i, j;

	for (i = 0; i < STEPS; i++)
		for (j = 0; j < BLOCKS; j++)
			rows[i * BLOCKS + j] = uniform(&seed) + uniform(&seed) +
			    (i * BLOCKS / STEPS == j && i % 40 < 2 ? 10 : 0);
	cr_assert_eq(joint_fit(rows, STEPS, BLOCKS, &m), ERR_OK);
	joint_free(m);
}

Test(replay, tells_how_long_ago_it_was)
{
	static struct replay r;
	double x[200];
	uint32_t seed = 3;
	int i;

	replay_init(&r);
	for (i = 0; i < 200; i++) {
		x[i] = i < 100 ? uniform(&seed) : x[i - 48];
		cr_expect_eq(replay_judge(&r, x[i], false),
		    i < 100 + REPLAY_RUN - 1 ? 0 : 48, "reading %d", i);
	}
}

Test(replay, says_nothing_of_what_hardly_moves_or_always_repeats)
{
	static struct replay r;
	int i;

	replay_init(&r);
	for (i = 0; i < 100; i++)
		cr_expect_eq(replay_judge(&r, i % 2, false), 0);
	replay_init(&r);
	for (i = 0; i < 300; i++)
		cr_expect_eq(replay_judge(&r, i % 24, i < 100), 0);
}

/* One replay in what is learnt does not hide the next. */
Test(replay, is_not_blind_to_what_it_learnt_with)
{
	static struct replay r;
	double x[2000];
	uint32_t seed = 4;
	int i, found = 0;

	replay_init(&r);
	for (i = 0; i < 2000; i++) {
		x[i] = uniform(&seed);
		if ((i >= 800 && i < 824) || i >= 1900)
			x[i] = x[i - 48];
		found += replay_judge(&r, x[i], i < 1800) == 48;
	}
	cr_expect_eq(found, 100 - REPLAY_RUN + 1);
}

Test(controls, reads_the_section_and_nothing_else)
{
	static const char inp[] =
	    "[PUMPS]\nLINK PU9 OPEN IF NODE T9 BELOW 4\n"
	    "[CONTROLS]\r\n; LINK PU8 OPEN IF NODE T8 BELOW 4\r\n"
	    "LINK PU1 OPEN IF   NODE\tT1 BELOW 4 ; why\r\n"
	    "link PU1 closed if node T1 above 6.3\r\n"
	    "LINK V2 0.5 IF NODE T2 ABOVE .5\n"
	    "LINK PU3 OPEN AT TIME 7\nLINK PU4 OPEN IF NODE T4 BELOW x\n"
	    "[RULES]\nLINK PU7 OPEN IF NODE T7 BELOW 4\n"
	    "[OPTIONS]\n Units  LPS ; litres";
	struct control c[8];

	cr_assert_eq(controls_parse(inp, strlen(inp), c, 8), 3);
	cr_expect_str_eq(c[0].link, "PU1");
	cr_expect_str_eq(c[0].node, "T1");
	cr_expect(c[0].open && !c[0].above && c[0].level == 4);
	cr_expect(!c[1].open && c[1].above && c[1].level == 6.3);
	cr_expect(c[2].open && c[2].above && c[2].level == 0.5);
	cr_expect_eq(controls_parse(inp, strlen(inp), c, 1), 1);
	cr_expect_eq(c[0].level, 4);
	cr_expect_eq(controls_parse("", 0, c, 8), 0);
}

Test(controls, reads_rules_of_one_premise)
{
	static const char inp[] =
	    "[OPTIONS]\nUNITS CMH\n[RULES]\n"
	    "RULE 1\nIF TANK T1 LEVEL ABOVE 4\nTHEN PUMP P1 STATUS IS CLOSED"
	    "\nAND PUMP P2 SPEED IS 0\nELSE PUMP P3 STATUS IS OPEN\n"
	    "PRIORITY 1\n"
	    "RULE 2\nIF TANK T1 LEVEL < 2\nTHEN VALVE V1 SETTING IS 30\n"
	    "RULE 3\nIF TANK T1 LEVEL ABOVE 4\n"
	    "AND SYSTEM CLOCKTIME > 6 AM\nTHEN PUMP P4 STATUS IS CLOSED\n"
	    "RULE 4\nIF JUNCTION J PRESSURE BELOW 4\n"
	    "THEN PUMP P5 STATUS IS OPEN\n";
	struct control c[8];

	cr_assert_eq(controls_parse(inp, strlen(inp), c, 8), 3);
	cr_expect_str_eq(c[0].link, "P1");
	cr_expect_str_eq(c[0].node, "T1");
	cr_expect(!c[0].open && c[0].above && c[0].level == 4);
	cr_expect_str_eq(c[1].link, "P2");
	cr_expect(!c[1].open && c[1].above);
	cr_expect_str_eq(c[2].link, "V1");
	cr_expect(c[2].open && !c[2].above && c[2].level == 2);
	cr_expect_eq(controls_parse(inp, strlen(inp), c, 1), 1);
}

/* US customary units are the default of the format. */
Test(controls, gives_levels_in_metres)
{
	static const char line[] =
	    "[CONTROLS]\nLINK P OPEN IF NODE T BELOW 110\n";
	static const char *const units[] = {"", "[OPTIONS]\nUNITS GPM",
	    "[OPTIONS]\nunits mgd", "[OPTIONS]\nHEADLOSS H-W"};
	struct control c[1];
	char inp[128];
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		snprintf(inp, sizeof(inp), "%s%s", line, units[i]);
		cr_assert_eq(controls_parse(inp, strlen(inp), c, 1), 1);
		cr_expect_float_eq(c[0].level, 33.528, 1e-9, "%s", units[i]);
	}
}

/* Closed above 6: open at 7 is an excess of 1. The largest seen is 3, but
 * three times no more than 0.2, so the threshold is 2 * 0.2 * 1.25 + 0.02 * 6
 * = 0.62. */
Test(controls, weighs_what_contradicts_them)
{
	static const double excess[] = {
	    0.1, 0, 1, 3, 2, 0, 0.15, 0.2, 0, 0.3, 0, 0.1, 0};
	struct control c = {.above = true, .level = 6};
	size_t i;

	cr_expect_eq(control_excess(&c, 0, 7), 0);
	cr_expect_eq(control_excess(&c, 1, 5), 0);
	cr_expect_eq(control_excess(&c, NAN, 7), 0);
	cr_expect_eq(control_excess(&c, 1, NAN), 0);
	cr_expect_float_eq(control_excess(&c, 1, 7), 1, 1e-12);
	for (i = 0; i < sizeof(excess) / sizeof(excess[0]); i++)
		control_learn(&c, excess[i]);
	cr_expect_float_eq(control_ratio(&c, 1), 1 / 0.62, 1e-9);
	cr_expect_eq(control_ratio(&c, 0), 0);
	cr_expect_eq(c.now, 0);
}
