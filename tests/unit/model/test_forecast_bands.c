#include "core/instant.h"
#include "model/forecast_parts.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define DAY	24
#define WEEK	168
#define ORIGINS 63
#define HORIZON (8 * DAY)
#define LENGTH	(12 * WEEK)

static uint64_t seed;
static struct arena arena;
static double errors[ORIGINS * HORIZON];
static size_t origins[ORIGINS];

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

static void
setup(void)
{
	size_t i;

	seed = 11;
	arena_init(&arena, (size_t)256 << 20);
	for (i = 0; i < ORIGINS; i++)
		origins[i] = 4 * WEEK + i * DAY;
	for (i = 0; i < ORIGINS * HORIZON; i++)
		errors[i] = uniform();
}

static void
teardown(void)
{
	arena_done(&arena);
}

TestSuite(forecast_bands, .init = setup, .fini = teardown);

static struct forecast_model
calibrated(size_t n)
{
	const struct forecast_errors of = {errors + (ORIGINS - n) * HORIZON,
	    origins + (ORIGINS - n), n, HORIZON, DAY};
	struct forecast_model m = {.version = FORECAST_VERSION};

	cr_assert(forecast_calibrate(&m, &of, &arena));
	return (m);
}

static double
width(const struct forecast_model *m, size_t band)
{
	return ((m->upper[band] - m->lower[band]) * m->spread[0]);
}

/* Of errors from -0.5 to 0.5 bands hold 95 % at the least and not all worlds.
 * The further ahead they look the fewer of them are independent. */
Test(forecast_bands, hold_what_they_say)
{
	const struct forecast_model m = calibrated(ORIGINS);
	size_t b;

	for (b = 0; b < FORECAST_BANDS; b++) {
		cr_expect_gt(width(&m, b), 0.93, "band %zu", b);
		cr_expect_lt(width(&m, b), 1.5, "band %zu", b);
	}
	cr_expect_gt(width(&m, 8), 1.05 * width(&m, 2));
}

Test(forecast_bands, take_each_side_by_itself)
{
	struct forecast_model m;
	size_t i;

	for (i = 0; i < ORIGINS * HORIZON; i++)
		errors[i] = errors[i] > 0 ? 4 * errors[i] : errors[i];
	m = calibrated(ORIGINS);
	for (i = 0; i < FORECAST_BANDS; i++)
		cr_expect_gt(m.upper[i], -3 * m.lower[i], "band %zu", i);
}

Test(forecast_bands, are_wider_after_few_origins)
{
	const struct forecast_model many = calibrated(ORIGINS),
				    few = calibrated(4);

	cr_expect_gt(width(&few, 2), 1.2 * width(&many, 2));
}

/* Two days of errors thrice as large: wider now than if they were long ago. */
Test(forecast_bands, breathe_with_the_errors)
{
	struct forecast_model before, after;
	size_t i, h;

	for (i = ORIGINS - 8; i < ORIGINS; i++)
		for (h = 0; h < HORIZON; h++)
			errors[i * HORIZON + h] *= 3;
	after = calibrated(ORIGINS);
	for (i = 0; i < ORIGINS / 2; i++)
		for (h = 0; h < HORIZON; h++) {
			double *a = &errors[i * HORIZON + h],
			       *b = &errors[(ORIGINS - 1 - i) * HORIZON + h],
			       swap = *a;

			*a = *b;
			*b = swap;
		}
	before = calibrated(ORIGINS);
	for (i = 0; i < FORECAST_BANDS; i++)
		cr_expect_gt(
		    width(&after, i), 1.2 * width(&before, i), "band %zu", i);
}

/* No errors, few and none of a part of the horizon: finite bands. */
Test(forecast_bands, bear_what_is_not_known)
{
	struct forecast_model m;
	size_t i;

	for (i = 0; i < ORIGINS * HORIZON; i++)
		if (i % HORIZON > 2)
			errors[i] = NAN;
	m = calibrated(2);
	for (i = 0; i < FORECAST_BANDS; i++) {
		cr_expect_gt(width(&m, i), 0, "band %zu", i);
		cr_expect_float_eq(width(&m, i), width(&m, 0), 1e-9);
	}
	for (i = 0; i < ORIGINS * HORIZON; i++)
		errors[i] = NAN;
	m = calibrated(ORIGINS);
	for (i = 0; i < FORECAST_BANDS; i++)
		cr_expect_float_eq(width(&m, i), 0, 0);
	m = calibrated(0);
	cr_expect_float_eq(width(&m, 0), 0, 0);
}

static double y[LENGTH + HORIZON];
static struct forecast_point points[HORIZON];

static double
demand(size_t t)
{
	const double hour = (double)(t % DAY);

	return (20 + 8 * exp(-pow(hour - 7, 2) / 6) +
	    (t % WEEK >= (size_t)5 * DAY ? 2 : 0) + uniform());
}

static struct forecast_series
past(void)
{
	size_t t;

	for (t = 0; t < LENGTH + HORIZON; t++)
		y[t] = demand(t);
	/* 2024-01-01 was a Monday. */
	return ((struct forecast_series){.y = y,
	    .n = LENGTH,
	    .t0_us = instant_from_civil(2024, 1, 1, 0),
	    .step_us = US_PER_HOUR});
}

Test(forecast_bands, are_wider_on_holidays_and_beside)
{
	static struct forecast_point feast[HORIZON];
	struct forecast_series s = past();
	const int32_t day = (int32_t)(s.t0_us / US_PER_DAY) + LENGTH / DAY + 3;
	struct forecast_model m;
	size_t h;

	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	s.holidays = &day;
	s.nholidays = 1;
	cr_assert_eq(forecast_answer(&m, &s, &arena, feast), FORECAST_OK);
	for (h = 0; h < HORIZON; h++) {
		const double was = points[h].upper - points[h].lower,
			     is = feast[h].upper - feast[h].lower;

		cr_expect_float_eq(is / was,
		    h / DAY == 3		       ? 1.5
			: h / DAY == 2 || h / DAY == 4 ? 1.15
						       : 1,
		    1e-9, "hour %zu", h);
	}
}

/* What a month of chaos taught is not what holds four weeks after it. */
Test(forecast_bands, forget_an_outage_when_it_is_over)
{
	struct forecast_series s = past();
	struct forecast_model m;
	double ours = 0, week = 0, f[HORIZON];
	size_t t, h;

	for (t = 4 * WEEK; t < 8 * WEEK; t++)
		y[t] = 40 * (uniform() + 0.5);
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	cr_assert(
	    forecast_baseline(FORECAST_SAME_WEEK, &s, HORIZON, &arena, f));
	for (h = 0; h < HORIZON; h++) {
		ours += fabs(y[LENGTH + h] - points[h].value);
		week += fabs(y[LENGTH + h] - f[h]);
	}
	cr_expect_lt(ours, 1.05 * week, "%g of %g", ours, week);
}

/* A year by the day, four weeks ahead: rolling origins lie further apart than
 * a day, or all of them would tell of the same weeks. */
Test(forecast_bands, reach_as_far_as_the_horizon)
{
	enum { DAYS = 400, AHEAD = 28 };
	double z[DAYS + AHEAD];
	struct forecast_series s = {.y = z,
	    .n = DAYS,
	    .t0_us = instant_from_civil(2024, 1, 1, 0),
	    .step_us = US_PER_DAY};
	struct forecast_model m;
	size_t t, inside = 0;

	for (t = 0; t < DAYS + AHEAD; t++)
		z[t] = 100 + 20 * sin((double)t / 40) + (t % 7 > 4 ? 10 : 0) +
		    4 * uniform();
	cr_assert_eq(forecast_learn(&m, &s, AHEAD, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (t = 0; t < AHEAD; t++)
		inside += z[DAYS + t] >= points[t].lower &&
		    z[DAYS + t] <= points[t].upper;
	cr_expect_geq(inside, AHEAD * 3 / 4, "%zu", inside);
}
