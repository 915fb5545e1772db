#include "core/instant.h"
#include "model/tail.h"
#include "model/watch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define STEP   (10 * US_PER_MINUTE)
#define A_DAY  144
#define MEMORY 4096
#define BEGIN  (INT64_C(1767571200) * US_PER_SECOND) /* a Monday */
#define SWING  10.0
#define NOISE  1.0
#define QUIET  (28 * A_DAY)
#define A_WEEK 1.0

/* Numerical Recipes' generator: the same noise everywhere. */
static double
uniform(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed / 4294967296.0);
}

static double
demand(int i, uint32_t *seed)
{
	return (50 + SWING * sin(2 * M_PI * i / A_DAY) +
	    NOISE * (uniform(seed) + uniform(seed) + uniform(seed) - 1.5));
}

static struct watch_verdict
judge(struct watch *w, int i, double x)
{
	struct watch_verdict v;

	watch_judge(w, x, BEGIN + i * STEP, A_WEEK, &v);
	return (v);
}

static struct watch
quiet(uint32_t *seed, int *ret_alarms)
{
	struct watch w;
	int i, alarms = 0;

	watch_init(&w, "");
	for (i = 0; i < QUIET; i++)
		alarms += judge(&w, i, demand(i, seed)).alarm;
	if (ret_alarms != NULL)
		*ret_alarms = alarms;
	return (w);
}

/* P(Z > z) = z^-4 exactly, in a scrambled order: -log10 P(Z > 10) = 4. */
Test(tail, tells_the_rarity_of_a_power_law)
{
	struct tail t;
	int i;

	tail_init(&t);
	for (i = 0; i < 2048; i++)
		tail_learn(&t, pow((i * 5 % 2048 + 0.5) / 2048, -0.25), MEMORY);
	cr_expect_float_eq(tail_rarity(&t, 10), 4, 0.25);
	cr_expect_float_eq(tail_rarity(&t, pow(0.01, -0.25)), 2, 0.15);
	cr_expect_eq(tail_rarity(&t, 1), 0);
	cr_expect_eq(tail_rarity(&t, 0), 0);
}

/* As many again and again: halving forgets the half, not nearly everything. */
Test(tail, keeps_what_it_knows_for_long)
{
	struct tail t;
	int i;

	tail_init(&t);
	for (i = 0; i < 20000; i++) {
		tail_learn(&t, pow((i * 5 % 2048 + 0.5) / 2048, -0.25), MEMORY);
		if (i >= 2 * MEMORY)
			cr_assert_geq(t.total, MEMORY - 1, "after %d", i);
	}
	cr_expect_float_eq(tail_rarity(&t, 10), 4, 0.25);
}

Test(tail, takes_any_number)
{
	struct tail t;

	tail_init(&t);
	tail_learn(&t, INFINITY, MEMORY);
	tail_learn(&t, 0, MEMORY);
	tail_learn(&t, 1e-300, MEMORY);
	tail_learn(&t, 1e300, MEMORY);
	cr_expect(isfinite(tail_rarity(&t, 1e300)));
}

Test(watch, keeps_to_its_number_of_false_alarms)
{
	uint32_t seed = 1;
	int alarms;

	quiet(&seed, &alarms);
	cr_expect_leq(alarms, 8, "%d in four weeks", alarms);
}

/* Far less than the day's swing. */
Test(watch, finds_a_shift_below_the_daily_swing)
{
	uint32_t seed = 2;
	struct watch w = quiet(&seed, NULL);
	struct watch_verdict v;
	int i, found = -1, told = 0;

	for (i = 0; i < A_DAY; i++) {
		v = judge(&w, QUIET + i, demand(QUIET + i, &seed) + 4 * NOISE);
		if (v.alarm && found < 0) {
			found = i;
			cr_expect(v.rule == WATCH_SHIFT ||
				v.rule == WATCH_SEASONAL ||
				v.rule == WATCH_RATE,
			    "%s", watch_rule_name(v.rule));
			cr_expect_float_eq(v.expected,
			    50 + SWING * sin(2 * M_PI * i / A_DAY), 2);
		}
		told += v.alarm;
	}
	cr_expect(found >= 0 && found <= 24, "after %d readings", found);
	cr_expect_leq(told, 12, "one event told %d times", told);
}

Test(watch, tells_what_is_certain)
{
	uint32_t seed = 3;
	struct watch w = quiet(&seed, NULL);
	struct watch_verdict v;
	int i, frozen = 0;

	for (i = QUIET; i < QUIET + 60; i++) {
		v = judge(&w, i, 50);
		frozen += v.rule == WATCH_FREEZE && v.alarm;
	}
	cr_expect_eq(frozen, 1, "a run is told once, not %d times", frozen);
	v = judge(&w, i + A_DAY, demand(i + A_DAY, &seed));
	cr_expect_eq(v.rule, WATCH_SILENCE);
	cr_expect(v.alarm);

	watch_init(&w, "degC");
	v = judge(&w, 0, 20);
	cr_expect_not(v.alarm);
	v = judge(&w, 1, 500);
	cr_expect_eq(v.rule, WATCH_LIMIT);
	cr_expect(v.alarm && v.score == 1);
	cr_expect_eq(w.n, 1, "what cannot be is not learnt from");
}

/* What no instrument can have read is told and changes nothing else. */
Test(watch, learns_nothing_from_outside_the_limits)
{
	struct watch_verdict v, other;
	uint32_t seed = 3;
	struct watch w = quiet(&seed, NULL), untouched = w;
	int i;

	for (i = 0; i < A_DAY; i++) {
		v = judge(&w, QUIET + i, INFINITY);
		cr_assert(v.alarm);
		cr_assert_eq(v.rule, WATCH_LIMIT);
		cr_assert_eq(v.score, 1);
	}
	cr_expect_arr_eq(w.tail, untouched.tail, sizeof(w.tail));
	cr_expect_eq(w.shift, untouched.shift);
	cr_expect_arr_eq(w.told, untouched.told, sizeof(w.told));
	v = judge(&w, QUIET + A_DAY, demand(QUIET + A_DAY, &seed));
	untouched.last_us = BEGIN + (QUIET + A_DAY - 1) * STEP;
	seed = 3;
	(void)quiet(&seed, NULL);
	other = judge(&untouched, QUIET + A_DAY, demand(QUIET + A_DAY, &seed));
	cr_expect_eq(v.alarm, other.alarm);
	cr_expect_float_eq(v.score, other.score, 0.01);
}

/* Twelve scales at once, by whatever of the three is the rarest. */
Test(watch, tells_a_jump_as_of_its_own_reading)
{
	uint32_t seed = 5;
	struct watch w = quiet(&seed, NULL);
	struct watch_verdict v = judge(&w, QUIET, demand(QUIET, &seed) + 12);

	cr_expect(v.alarm);
	cr_expect(v.rule == WATCH_SPIKE || v.rule == WATCH_RATE ||
		v.rule == WATCH_SEASONAL,
	    "%s", watch_rule_name(v.rule));
	cr_expect_eq(v.since_us, BEGIN + QUIET * STEP);
}

/* Whatever alarms is out of the band that it is told with. */
Test(watch, tells_a_band_that_is_left)
{
	static const double sizes[] = {4, 6, 12, -5, -12};
	uint32_t seed = 15;
	struct watch w = quiet(&seed, NULL);
	struct watch_verdict v;
	bool told[WATCH_RULES] = {false};
	size_t k;
	int i;

	for (i = 0; i < 200 * A_DAY; i++) {
		k = (size_t)(i / (5 * A_DAY)) % 5;
		v = judge(&w, QUIET + i,
		    demand(QUIET + i, &seed) +
			(i % (5 * A_DAY) < 1 + 9 * (int)k ? sizes[k] : 0));
		if (!v.alarm)
			continue;
		told[v.rule] = true;
		cr_expect_geq(fabs(watch_off(&v.reason, w.last)), v.reason.band,
		    "%s at %d", watch_rule_name(v.rule), i);
	}
	cr_expect(told[WATCH_SPIKE] || told[WATCH_RATE]);
	cr_expect(told[WATCH_SEASONAL] || told[WATCH_SHIFT]);
}

/* A level that wanders: no mean is left, the step alone is odd. */
Test(watch, tells_a_rate_where_a_level_wanders)
{
	uint32_t seed = 6;
	struct watch_verdict v;
	struct watch w;
	double x = 50;
	int i;

	watch_init(&w, "");
	for (i = 0; i < QUIET; i++) {
		x += (uniform(&seed) + uniform(&seed) - 1) / 4;
		(void)judge(&w, i, x);
	}
	v = judge(&w, i, x + 12);
	cr_expect(v.alarm);
	cr_expect(v.rule == WATCH_RATE || v.rule == WATCH_SPIKE, "%s",
	    watch_rule_name(v.rule));
}

/* Four times slower, then back: told as it leaves its pace, both times. */
Test(watch, tells_a_pace_once)
{
	uint32_t seed = 7;
	struct watch w = quiet(&seed, NULL);
	struct watch_verdict v;
	int i, at = QUIET, told = 0;

	for (i = 0; i < 100; i++, at += 4) {
		v = judge(&w, at, demand(at, &seed));
		told += v.rule == WATCH_CADENCE && v.alarm;
		if (v.rule == WATCH_CADENCE)
			cr_expect_leq(i, 24);
	}
	cr_expect_eq(told, 1);
	for (i = 0; i < 200; i++, at++)
		(void)judge(&w, at, demand(at, &seed));
	for (i = told = 0; i < 100; i++, at += 4) {
		v = judge(&w, at, demand(at, &seed));
		told += v.rule == WATCH_CADENCE && v.alarm;
	}
	cr_expect_eq(told, 1);
}

/* What comes whenever something happens has no pace that it could leave. */
Test(watch, knows_no_pace_of_an_uneven_series)
{
	uint32_t seed = 8;
	struct watch_verdict v;
	struct watch w;
	int i, at = 0;

	watch_init(&w, "");
	for (i = 0; i < QUIET; i++) {
		at += 1 + (int)(uniform(&seed) * 8) * (i / 300 % 2 + 1);
		v = judge(&w, at, demand(at, &seed));
		cr_assert_neq(v.rule, WATCH_CADENCE, "reading %d", i);
	}
}

Test(watch, names_its_rules)
{
	int i;

	for (i = WATCH_SHIFT; i < WATCH_RULES; i++)
		cr_expect_neq(watch_rule_name(i)[0], '\0', "rule %d", i);
	cr_expect_str_eq(watch_rule_name(WATCH_NONE), "");
	cr_expect_str_eq(watch_looks_like(WATCH_FREEZE), "sensor fault");
	cr_expect_str_eq(watch_looks_like(WATCH_SHIFT), "process event");
	cr_expect_str_eq(watch_looks_like(WATCH_DRIFT), "");
}

Test(watch, goes_on_from_a_copy_as_it_would_have)
{
	uint32_t seed = 4, other;
	struct watch w = quiet(&seed, NULL), copy;
	struct watch_verdict a, b;
	int i;

	memcpy(&copy, &w, sizeof(w));
	other = seed;
	for (i = QUIET; i < QUIET + 3 * A_DAY; i++) {
		a = judge(&w, i, demand(i, &seed));
		b = judge(&copy, i, demand(i, &other));
		cr_assert_eq(memcmp(&a.score, &b.score, sizeof(a.score)), 0);
		cr_assert_eq(a.rule, b.rule);
	}
}

Test(watch, scores_a_constant_series_nothing)
{
	struct watch_verdict v;
	struct watch w;
	int i;

	watch_init(&w, "");
	for (i = 0; i < QUIET; i++) {
		v = judge(&w, i, 7);
		cr_assert_not(v.alarm);
		cr_assert_eq(v.score, 0);
	}
	v = judge(&w, i, 9);
	cr_expect_gt(v.score, 0);
}

Test(watch, stays_small)
{
	cr_expect_leq(sizeof(struct watch), 4096);
}
