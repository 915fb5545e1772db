#include "core/instant.h"
#include "model/forecast_parts.h"
#include "model/ridge.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define DAY	24
#define WEEK	168
#define LENGTH	(12 * WEEK)
#define HORIZON WEEK

/* A district of the water's own shape: two peaks a day, weekends later and
 * less, and noise that has memory. */
static double noise_state;
static uint64_t seed;

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

static double
demand(size_t t)
{
	const double hour = (double)(t % DAY);
	const bool weekend = t % WEEK >= (size_t)5 * DAY;
	const double shift = weekend ? 2 : 0;

	noise_state = 0.7 * noise_state + uniform();
	return (20 + 8 * exp(-pow(hour - 7 - shift, 2) / 6) +
	    6 * exp(-pow(hour - 19, 2) / 8) - (weekend ? 2 : 0) + noise_state);
}

static void
make(double *y, size_t n)
{
	size_t t;

	seed = 7;
	noise_state = 0;
	for (t = 0; t < n; t++)
		y[t] = demand(t);
}

static double y[LENGTH + HORIZON];
static struct forecast_point points[HORIZON];
static struct arena arena;

static struct forecast_series
past(void)
{
	/* 2024-01-01 was a Monday. */
	return ((struct forecast_series){.y = y,
	    .n = LENGTH,
	    .t0_us = instant_from_civil(2024, 1, 1, 0),
	    .step_us = US_PER_HOUR});
}

static void
setup(void)
{
	arena_init(&arena, (size_t)256 << 20);
	make(y, LENGTH + HORIZON);
}

static void
teardown(void)
{
	arena_done(&arena);
}

TestSuite(forecast, .init = setup, .fini = teardown);

Test(forecast, beats_every_baseline_and_covers)
{
	struct forecast_series s = past();
	struct forecast_model m;
	double ours = 0, least = INFINITY, f[HORIZON];
	size_t h, b, inside = 0;

	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_expect_eq(m.day, DAY);
	cr_expect_eq(m.week, WEEK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (h = 0; h < HORIZON; h++) {
		ours += fabs(y[LENGTH + h] - points[h].value);
		inside += y[LENGTH + h] >= points[h].lower &&
		    y[LENGTH + h] <= points[h].upper;
	}
	for (b = 0; b < FORECAST_BASELINES; b++) {
		double error = 0;

		cr_assert(forecast_baseline(
		    (enum forecast_baseline)b, &s, HORIZON, &arena, f));
		for (h = 0; h < HORIZON; h++)
			error += fabs(y[LENGTH + h] - f[h]);
		least = fmin(least, error);
	}
	cr_expect_lt(ours, least);
	cr_expect_geq(inside, HORIZON * 85 / 100);
	cr_expect_lt(points[HORIZON - 1].upper - points[HORIZON - 1].lower, 12);
}

Test(forecast, sees_nothing_behind_the_origin)
{
	struct forecast_point again[HORIZON];
	struct forecast_series s = past();
	struct forecast_model m, other;
	size_t t;

	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (t = LENGTH; t < LENGTH + HORIZON; t++)
		y[t] = 1e6;
	cr_assert_eq(forecast_learn(&other, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&other, &s, &arena, again), FORECAST_OK);
	cr_expect_arr_eq(points, again, sizeof(again));
}

/* A model stored as bytes answers as the one it was. */
Test(forecast, is_a_plain_value)
{
	struct forecast_point again[HORIZON];
	struct forecast_series s = past();
	struct forecast_model m;
	unsigned char bytes[sizeof(m)];

	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	memcpy(bytes, &m, sizeof(m));
	memset(&m, 0xAA, sizeof(m));
	memcpy(&m, bytes, sizeof(m));
	arena_reset(&arena);
	cr_assert_eq(forecast_answer(&m, &s, &arena, again), FORECAST_OK);
	cr_expect_arr_eq(points, again, sizeof(again));
}

/* Gaps are gaps: neither zeros nor an end of forecasts. */
Test(forecast, bears_gaps_and_bursts)
{
	struct forecast_series s = past();
	struct forecast_model m;
	double error = 0;
	size_t t, h;

	for (t = 0; t < LENGTH; t++)
		if (t % 11 == 3 || (t > 900 && t < 900 + 5 * DAY))
			y[t] = NAN;
	for (t = LENGTH - 3 * WEEK; t < LENGTH - 3 * WEEK + 6; t++)
		y[t] = 400;
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (h = 0; h < HORIZON; h++) {
		cr_assert(isfinite(points[h].value));
		cr_expect_leq(points[h].lower, points[h].value);
		cr_expect_geq(points[h].upper, points[h].value);
		error += fabs(y[LENGTH + h] - points[h].value) / HORIZON;
	}
	cr_expect_lt(error, 1.0);
}

/* Short histories, of a daily and of a weekly season: few or no rolling origins
 * reach as far as the horizon. */
static void
short_history(size_t n)
{
	struct forecast_series s = past();
	struct forecast_model m;
	size_t h;

	s.n = n;
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (h = 0; h < HORIZON; h++) {
		const struct forecast_point *p = &points[h];

		cr_expect_float_eq(
		    p->value, y[n + h], 8, "hour %zu of %zu", h, n);
		cr_expect_lt(p->lower, p->value, "hour %zu of %zu", h, n);
		cr_expect_gt(p->upper, p->value, "hour %zu of %zu", h, n);
		cr_expect_lt(p->upper - p->lower, 16, "hour %zu of %zu", h, n);
	}
	arena_reset(&arena);
}

Test(forecast, says_something_of_a_week_after_two)
{
	size_t t, days;

	for (days = 15; days < 24; days++)
		short_history(days * DAY);
	for (t = 0; t < LENGTH + HORIZON; t++)
		y[t] = 20 + 5 * sin((double)(t % DAY) / DAY * 6.2831853) +
		    uniform();
	for (days = 4; days < 24; days++)
		short_history(days * DAY);
}

/* Two weeks, of whose season no origin can judge yet, are no less than the day
 * before had. */
Test(forecast, goes_by_the_day_until_weeks_can_be_judged)
{
	struct forecast_series s = past();
	struct forecast_model m;
	size_t h;

	for (s.n = 2 * WEEK - 1; s.n <= 2 * WEEK + DAY; s.n++) {
		cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena),
		    FORECAST_OK, "%zu hours", s.n);
		cr_assert_eq(
		    forecast_answer(&m, &s, &arena, points), FORECAST_OK);
		cr_expect_eq(m.week > 0, s.n == 2 * WEEK + DAY);
		for (h = 0; h < HORIZON; h++)
			cr_expect(points[h].lower < points[h].value &&
			    points[h].value < points[h].upper);
		arena_reset(&arena);
	}
}

/* What smoothing comes to where its first weeks teach nothing. */
static void
smooths_to(double *z, size_t n, double low, double high)
{
	const struct forecast_grid g = {
	    .y = z, .n = n, .day = DAY, .week = WEEK, .season = WEEK};
	const double param[FORECAST_PARAMS] = {0.04, 0.06, 0.15, 0.3};
	double out[DAY];
	const struct forecast_job job = {&n, 1, DAY, &arena, out};
	size_t h;

	cr_assert(forecast_smooth(&g, param, &job));
	for (h = 0; h < DAY; h++) {
		cr_expect_gt(out[h], low, "hour %zu: %g", h, out[h]);
		cr_expect_lt(out[h], high, "hour %zu: %g", h, out[h]);
	}
}

Test(forecast, smooths_from_where_values_begin)
{
	static double z[26 * WEEK];
	const size_t n = sizeof(z) / sizeof(z[0]), from = n - 20 * WEEK;
	size_t t;

	make(z, n);
	for (t = from; t < from + 2 * WEEK; t++)
		z[t] = NAN;
	smooths_to(z, n, 14, 34);
	for (t = 0; t < from + 2 * WEEK; t++)
		z[t] = 90; /* stuck */
	smooths_to(z, n, 14, 34);
	for (t = 0; t < n; t++)
		z[t] = NAN;
	smooths_to(z, n, -1, 1);
}

/* A pump without a rhythm, off for the hours that end it: what smoothing comes
 * to is what it mostly does, wherever the history ends. */
Test(forecast, smooths_a_pump_by_more_than_its_last_hours)
{
	static double z[12 * WEEK];
	const size_t n = sizeof(z) / sizeof(z[0]);
	const struct forecast_grid g = {
	    .y = z, .n = n, .per_day = DAY, .season = 1};
	const double param[FORECAST_PARAMS] = {0.005};
	struct forecast_expert list[384];
	double out[DAY];
	const struct forecast_job job = {&n, 1, DAY, &arena, out};
	size_t t, left = 0, many, i;
	bool on = false;

	seed = 5;
	for (t = 0; t < n; t++, left--) {
		if (left == 0) {
			on = !on;
			left = (size_t)((uniform() + (on ? 1.5 : 0.7)) * 20);
		}
		z[t] = on && t + 30 < n ? 95 : 0;
	}
	cr_assert(forecast_smooth(&g, param, &job));
	cr_expect_gt(out[0], 30, "%g", out[0]);
	cr_expect_lt(out[0], 90, "%g", out[0]);
	many = forecast_candidates(&g, list, 384);
	cr_assert_gt(many, 0);
	for (i = 0; i < many; i++) /* none that never learns */
		cr_expect(
		    list[i].kind != FORECAST_SMOOTH || list[i].param[0] > 0);
}

/* An expert that needs the last day says nothing; the others do. */
Test(forecast, bears_a_gap_before_the_origin)
{
	struct forecast_expert mute = {.kind = FORECAST_MOVING};
	struct forecast_series s = past();
	struct forecast_model m;
	size_t t, h;

	for (t = LENGTH - 20; t < LENGTH; t++)
		y[t] = NAN;
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	for (t = 0; t < FORECAST_BANDS; t++)
		mute.weight[t] = 1;
	cr_assert_lt(m.nexperts, FORECAST_EXPERTS);
	m.experts[m.nexperts++] = mute;
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (h = 0; h < HORIZON; h++) {
		cr_expect_float_eq(
		    points[h].value, y[LENGTH + h], 6, "hour %zu", h);
		cr_expect_lt(points[h].lower, points[h].value, "hour %zu", h);
		cr_expect_gt(points[h].upper, points[h].value, "hour %zu", h);
	}
}

/* A fortnight long ago and the last six weeks: what was missing between is no
 * reason to say nothing of the week to come. */
Test(forecast, goes_on_after_a_long_silence)
{
	struct forecast_series s = past();
	static double z[52 * WEEK + HORIZON];
	const size_t n = 52 * WEEK;
	struct forecast_model m;
	double error = 0;
	size_t t;

	for (t = 0; t < n + HORIZON; t++)
		z[t] =
		    t >= 2 * WEEK && t < n - 6 * WEEK ? (double)NAN : demand(t);
	s.y = z;
	s.n = n;
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (t = 0; t < HORIZON; t++)
		error += fabs(points[t].value - z[n + t]) / HORIZON;
	cr_expect_lt(error, 0.8, "%g", error);
}

Test(forecast, refuses_with_a_reason)
{
	struct forecast_series s = past();
	struct forecast_model m;
	size_t t;

	s.n = 40;
	cr_expect_eq(
	    forecast_learn(&m, &s, HORIZON, &arena), FORECAST_TOO_SHORT);
	s = past();
	s.step_us = 7 * US_PER_HOUR;
	cr_expect_eq(
	    forecast_learn(&m, &s, HORIZON, &arena), FORECAST_BAD_STEP);
	s = past();
	cr_expect_eq(forecast_learn(&m, &s, FORECAST_HORIZON + 1, &arena),
	    FORECAST_BAD_STEP);
	for (t = 0; t < LENGTH; t++)
		if (t % 3 != 0)
			y[t] = NAN;
	cr_expect_eq(
	    forecast_learn(&m, &s, HORIZON, &arena), FORECAST_TOO_SPARSE);
	for (t = 0; t <= FORECAST_NO_MEMORY; t++)
		cr_expect_not_null(forecast_reason((enum forecast_result)t));
}

Test(forecast, finds_the_seasons_there_are)
{
	struct forecast_series s = past();
	struct forecast_model m;
	size_t t;

	for (t = 0; t < LENGTH; t++)
		y[t] = 5 + sin((double)(t % DAY) / DAY * 6.2831853) +
		    uniform() / 4;
	cr_assert_eq(forecast_learn(&m, &s, DAY, &arena), FORECAST_OK);
	cr_expect_eq(m.day, DAY);
	for (t = 0; t < LENGTH; t++)
		y[t] = 5 + uniform();
	cr_assert_eq(forecast_learn(&m, &s, DAY, &arena), FORECAST_OK);
	cr_expect_eq(m.week, 0);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	cr_expect_float_eq(points[0].value, 5, 0.3);
}

/* Heat that no season tells moves the demand of the whole day. */
static double warm[LENGTH + HORIZON];

static double
week_error(const struct forecast_covariate *c, size_t n)
{
	struct forecast_series s = past();
	struct forecast_model m;
	double sum = 0;
	size_t h;

	s.covariates = c;
	s.ncovariates = n;
	cr_assert_eq(forecast_learn(&m, &s, HORIZON, &arena), FORECAST_OK);
	cr_assert_eq(forecast_answer(&m, &s, &arena, points), FORECAST_OK);
	for (h = 0; h < HORIZON; h++)
		sum += fabs(y[LENGTH + h] - points[h].value) / HORIZON;
	arena_reset(&arena);
	return (sum);
}

Test(forecast, leans_on_covariates_as_far_as_they_are_known)
{
	static double none[LENGTH + HORIZON];
	const struct forecast_covariate known = {warm, LENGTH + HORIZON},
					ended = {warm, LENGTH / 2},
					empty = {warm, 0},
					missing = {none, LENGTH + HORIZON};
	struct forecast_covariate most[FORECAST_COLUMNS + 1];
	double without, with;
	size_t t;

	for (t = 0; t < LENGTH + HORIZON; t++) {
		const double day = (double)(t / DAY);

		warm[t] = 20 + 8 * sin(day * 1.7) * sin(day * 0.61);
		y[t] += 0.5 * warm[t];
		none[t] = NAN;
	}
	without = week_error(NULL, 0);
	with = week_error(&known, 1);
	cr_expect_lt(with, 0.8 * without);
	/* Columns that say nothing leave what there was. */
	cr_expect_float_eq(week_error(&ended, 1), without, 1e-9);
	cr_expect_float_eq(week_error(&empty, 1), without, 1e-9);
	cr_expect_float_eq(week_error(&missing, 1), without, 1e-9);
	for (t = 0; t <= FORECAST_COLUMNS; t++)
		most[t] = known;
	cr_expect_lt(week_error(most, FORECAST_COLUMNS + 1), without);
}

/* What is told only to the end says what was, and nothing behind it is read. */
Test(forecast, reads_no_covariate_behind_what_is_known)
{
	struct forecast_covariate c = {warm, LENGTH};
	double before;
	size_t t;

	for (t = 0; t < LENGTH + HORIZON; t++)
		warm[t] = 20 + sin((double)t * 0.07);
	before = week_error(&c, 1);
	for (t = LENGTH; t < LENGTH + HORIZON; t++)
		warm[t] = 1e6;
	cr_expect_float_eq(week_error(&c, 1), before, 0);
}

Test(ridge, finds_a_plane_and_refuses_nothing)
{
	struct ridge r;
	double c[2] = {9, 9}, x[2];
	int i;

	ridge_init(&r, 2);
	cr_expect_not(ridge_solve(&r, 0, c));
	cr_expect_float_eq(c[0], 9, 0);
	for (i = 0; i < 20; i++) {
		x[0] = i;
		x[1] = i % 3;
		ridge_add(&r, x, 2 * x[0] - 5 * x[1], 1 + i % 2);
	}
	cr_assert(ridge_solve(&r, 0, c));
	cr_expect_float_eq(c[0], 2, 1e-9);
	cr_expect_float_eq(c[1], -5, 1e-9);
	cr_assert(ridge_solve(&r, 1, c));
	cr_expect_lt(fabs(c[0]), 2);
}
