#include "core/instant.h"
#include "model/contest.h"

#include <criterion/criterion.h>
#include <math.h>

#define DAY   24
#define WEEK  168
#define CELLS (8 * WEEK)
/* Of seven daily origins: 168 hours from the first, 24 from the last. */
#define HOURS (DAY + 48 + 72 + 96 + 120 + 144 + 168)

static double y[CELLS];
static struct arena arena;
static struct forecast_model model;
static struct contest_pair pair = {&model, NULL};

static struct forecast_series
whole(void)
{
	return ((struct forecast_series){.y = y,
	    .n = CELLS,
	    .t0_us = instant_from_civil(2024, 1, 1, 0),
	    .step_us = US_PER_HOUR});
}

/* A wave a day, less at the weekend, and noise. */
static void
set_up(void)
{
	struct forecast_series past;
	uint64_t seed = 11;
	size_t t;

	arena_init(&arena, (size_t)256 << 20);
	for (t = 0; t < CELLS; t++) {
		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
		y[t] = 30 - 10 * cos(2 * M_PI * (double)(t % DAY) / DAY) -
		    (t % WEEK >= (size_t)5 * DAY ? 4 : 0) +
		    3 * ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
	}
	past = whole();
	past.n -= WEEK;
	cr_assert_eq(forecast_learn(&model, &past, CONTEST_HORIZON, &arena),
	    FORECAST_OK);
}

static void
tear_down(void)
{
	arena_done(&arena);
}

TestSuite(contest, .init = set_up, .fini = tear_down);

Test(contest, a_model_is_tried_on_the_week_it_has_not_seen)
{
	const struct forecast_series s = whole();
	struct contest_sums sums;

	cr_assert(contest_judge(&pair, &s, &arena, &sums));
	cr_assert_eq(sums.hours, HOURS);
	/* The value a week before has the noise twice. */
	cr_assert_lt(sums.error, 0.95 * sums.naive);
	cr_assert_geq(sums.inside, HOURS * 8 / 10);
	cr_assert_eq(sums.rival, 0);
}

Test(contest, its_equal_does_not_beat_it)
{
	const struct forecast_series s = whole();
	struct contest_pair equal = {&model, &model};
	struct contest_sums sums;

	cr_assert(contest_judge(&equal, &s, &arena, &sums));
	cr_assert_float_eq(sums.rival, sums.error, 1e-9);
	cr_assert_not(contest_wins(&sums));
	sums.rival = 1.005 * sums.error;
	cr_assert_not(contest_wins(&sums));
	sums.rival = 1.02 * sums.error;
	cr_assert(contest_wins(&sums));
	cr_assert_not(contest_wins(&(struct contest_sums){0}));
}

Test(contest, hours_that_are_missing_are_not_compared)
{
	const struct forecast_series s = whole();
	struct contest_sums sums;

	/* The last day, and one a week before the day before it. */
	for (size_t t = 0; t < DAY; t++)
		y[CELLS - DAY + t] = y[CELLS - WEEK - 2 * DAY + t] =
		    (double)NAN;
	cr_assert(contest_judge(&pair, &s, &arena, &sums));
	/* Each of the two was in reach of the origins before it: 7 and 6. */
	cr_assert_eq(sums.hours, HOURS - 7 * DAY - 6 * DAY);
	cr_assert(isfinite(sums.error) && isfinite(sums.naive));
}

Test(contest, who_cannot_answer_is_not_judged)
{
	struct forecast_series s = whole();
	struct contest_sums sums = {.hours = 5};

	s.n = 2 * WEEK - 1;
	cr_assert_not(contest_judge(&pair, &s, &arena, &sums));
	s.n = CELLS;
	model.horizon = WEEK;
	cr_assert_not(contest_judge(&pair, &s, &arena, &sums));
	cr_assert_eq(sums.hours, 5);
}

Test(contest, an_hour_counts_if_all_is_there)
{
	const struct forecast_series s = whole();
	struct forecast_point p = {y[200] + 2, y[200] - 1, y[200] + 3};
	struct contest_sums sums = {0};

	cr_assert_not(contest_add(&sums, &s, CELLS, &p));
	cr_assert_not(contest_add(&sums, &s, WEEK - 1, &p));
	p.value = (double)NAN;
	cr_assert_not(contest_add(&sums, &s, 200, &p));
	cr_assert_eq(sums.hours, 0);
	p.value = y[200] + 2;
	cr_assert(contest_add(&sums, &s, 200, &p));
	cr_assert_eq(sums.inside, 1);
	cr_assert_float_eq(sums.error, 2, 1e-9);
	cr_assert_float_eq(sums.naive, fabs(y[200] - y[32]), 1e-9);
	p.lower = y[200] + 1;
	cr_assert(contest_add(&sums, &s, 200, &p));
	cr_assert_eq(sums.inside, 1);
}
