#include "core/instant.h"
#include "model/forecast.h"

#include <criterion/criterion.h>
#include <math.h>

#define DAY	24
#define WEEK	168
#define LENGTH	(20 * WEEK)
#define HORIZON WEEK
#define FRIDAY	4

/* 2024-01-01 was a Monday. */
#define FIRST	19723
#define HOLIDAY (FIRST + LENGTH / DAY + 2)

static double y[LENGTH];
static struct forecast_point ordinary[HORIZON], points[HORIZON];
static struct arena arena;
static uint64_t seed;

static double
noise(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

/* People get up at seven, on days of rest at ten. */
static double
demand(size_t hour, bool rest)
{
	return (20 + 10 * exp(-pow((double)hour - (rest ? 10 : 7), 2) / 6));
}

static void
make(size_t rests)
{
	size_t t;

	seed = 7;
	for (t = 0; t < LENGTH; t++)
		y[t] = demand(t % DAY, t / DAY % 7 == rests) + noise() / 2;
}

static void
setup(void)
{
	arena_init(&arena, (size_t)256 << 20);
	make(6);
}

static void
teardown(void)
{
	arena_done(&arena);
}

TestSuite(feasts, .init = setup, .fini = teardown);

static void
answer(const int32_t *days, const int32_t *feasts, size_t n,
    struct forecast_point *ret)
{
	const struct forecast_series s = {.y = y,
	    .n = LENGTH,
	    .t0_us = FIRST * US_PER_DAY,
	    .step_us = US_PER_HOUR,
	    .holidays = days,
	    .nholidays = n,
	    .feasts = feasts};
	struct forecast_model m;

	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, ret), FORECAST_OK);
	arena_reset(&arena);
}

static void
expect_day(size_t day, bool rest)
{
	size_t k;

	for (k = 0; k < DAY; k++) {
		const struct forecast_point *p = &points[day * DAY + k];

		cr_expect_float_eq(p->value, demand(k, rest), 1.2,
		    "day %zu hour %zu: %g", day, k, p->value);
		cr_expect_lt(p->lower, p->value);
		cr_expect_gt(p->upper, p->value);
	}
}

/* None was ever seen: it is like a Sunday, its neighbours are what they are. */
Test(feasts, a_first_holiday_is_a_sunday)
{
	const int32_t days[] = {HOLIDAY};

	answer(days, NULL, 1, points);
	expect_day(1, false);
	expect_day(2, true);
	expect_day(3, false);
	expect_day(6, true);
	answer(NULL, NULL, 0, points);
	expect_day(2, false);
}

/* Where Fridays are the days of rest, past holidays tell. */
Test(feasts, past_holidays_tell_what_they_are_like)
{
	const int32_t days[] = {FIRST + 30, FIRST + 71, FIRST + 99, HOLIDAY};
	size_t i, k;

	make(FRIDAY);
	for (i = 0; i < 3; i++)
		for (k = 0; k < DAY; k++)
			y[(size_t)(days[i] - FIRST) * DAY + k] =
			    demand(k, true);
	answer(days, NULL, 4, points);
	expect_day(2, true);
	expect_day(3, false);
}

/* What holidays have beyond a Sunday comes out, the more the more there were;
 * the same feast of another year counts more. */
Test(feasts, holidays_have_a_shape_of_their_own)
{
	int32_t days[13], feasts[13];
	double few, many, same;
	size_t i, k;

	for (i = 0; i < 12; i++) {
		days[i] = (int32_t)(FIRST + 22 + 9 * i);
		feasts[i] = (int32_t)i;
		for (k = 0; k < DAY; k++)
			y[(size_t)(days[i] - FIRST) * DAY + k] =
			    demand(k, true) + (k == 15 ? 9 : 0);
	}
	days[12] = HOLIDAY;
	feasts[12] = 11;
	answer(days + 11, NULL, 2, points);
	few = points[2 * DAY + 15].value - demand(15, true);
	answer(days, NULL, 13, points);
	many = points[2 * DAY + 15].value - demand(15, true);
	answer(days, feasts, 13, points);
	same = points[2 * DAY + 15].value - demand(15, true);
	cr_expect_gt(few, 0.2);
	cr_expect_gt(many, few + 1);
	cr_expect_float_eq(many, same, 0.5); /* alike: no matter which */
	for (k = 0; k < DAY; k++)
		y[(size_t)(days[11] - FIRST) * DAY + k] =
		    demand(k, true) + (k == 15 ? 30 : 0);
	answer(days, NULL, 13, points);
	many = points[2 * DAY + 15].value;
	answer(days, feasts, 13, points);
	cr_expect_gt(points[2 * DAY + 15].value, many + 1);
}

/* Holidays far from the series, and on it whole, change nothing. */
Test(feasts, calendars_reach_further_than_series)
{
	const int32_t days[] = {-800000, 3, 800000, INT32_MAX};
	size_t h;

	answer(NULL, NULL, 0, ordinary);
	answer(days, NULL, 4, points);
	for (h = 0; h < HORIZON; h++)
		cr_expect_float_eq(points[h].value, ordinary[h].value, 1e-9);
}
