/* What a night does with one series, on a real PostgreSQL. */
#include "app/fit_series.h"
#include "model/contest.h"
#include "warm_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLOW   (fx.series[1])
#define DAYS   28
#define ORIGIN NOON /* a whole hour: there is nothing from it on */

static atomic_bool stopping;
static struct fit_series fit;

/* Hours before ORIGIN, one reading each. */
static void
history(int days)
{
	sql("DELETE FROM rollups_fresh WHERE series = %d", FLOW);
	sql("INSERT INTO rollups_fresh (series, width_s, bucket, n, good, "
	    "sum, min, max, sumsq, first_ts, last_ts, first, last) "
	    "SELECT %d, 3600, t, 1, 1, v, v, v, v * v, t, t, v, v FROM ("
	    "SELECT t, 50 + 20 * sin(pi() * h / 12) + sin(h * h * 0.7) AS v "
	    "FROM (SELECT to_timestamp(%lld) - h * interval '1 h' AS t, h "
	    "FROM generate_series(1, %d) h) g) w",
	    FLOW, (long long)(ORIGIN / US_PER_SECOND), days * 24);
}

static void
open_fit(void)
{
	bool leads;

	fixture_open();
	sql("DELETE FROM holidays");
	sql("DELETE FROM fit_runs");
	cr_assert(fit_series_init(&fit, fx.warm, &stopping));
	ok(forecasts_lead(fx.warm, &leads, &fx.info));
	cr_assert(leads);
	ok(forecasts_zone(fx.warm, "UTC", ORIGIN - 400 * US_PER_DAY,
	    ORIGIN + 20 * US_PER_DAY, &fit.zone, &fx.info));
	fit.now_us = ORIGIN + US_PER_MINUTE;
	history(DAYS);
}

static void
close_fit(void)
{
	fit_series_done(&fit);
	sql("DELETE FROM holidays");
	fixture_close();
}

TestSuite(forecasts, .init = open_fit, .fini = close_fit);

static void
learn(void)
{
	ok(fit_series_do(&fit, FLOW, true, &fx.info));
}

static void
predict(void)
{
	ok(fit_series_do(&fit, FLOW, false, &fx.info));
}

static int64_t
count(const char *what)
{
	return (sql_int("SELECT count(*) FROM %s", what));
}

static void
refused(const char *words)
{
	cr_assert_eq(sql_int("SELECT count(*) FROM forecast_states WHERE "
			     "series_id = %d AND strpos(refused, '%s') > 0",
			 FLOW, words),
	    1, "%s", words);
}

/* The newest forecast is what the champion's bytes say, bit for bit. */
static void
same_as_the_model(void)
{
	static struct forecasts_made made[FORECASTS_OLD];
	static struct forecasts_model bytes;
	static double sum[DAYS * 24], good[DAYS * 24];
	static struct forecast_model m;
	struct forecast_point points[CONTEST_HORIZON];
	struct forecasts_hours h = {
	    FLOW, ORIGIN - DAYS * US_PER_DAY, DAYS * 24, sum, good};
	/* Its first day has no midnight: half of it is missing. */
	static double y[DAYS * 24 + 12];
	struct forecast_series s = {.y = y,
	    .n = DAYS * 24 + 12,
	    .t0_us = ORIGIN - DAYS * US_PER_DAY - 12 * US_PER_HOUR,
	    .step_us = US_PER_HOUR,
	    .holidays = fit.holidays.days,
	    .feasts = fit.holidays.feasts,
	    .nholidays = fit.holidays.n};
	size_t n = 0, i;

	memset(sum, 0, sizeof(sum));
	memset(good, 0, sizeof(good));
	ok(forecasts_hours(fx.warm, &h, &fx.info));
	for (i = 0; i < s.n; i++)
		y[i] = i < 12 ? (double)NAN : sum[i - 12];
	ok(forecasts_champion(fx.warm, FLOW, &bytes, &fx.info));
	cr_assert_eq(bytes.len, sizeof(m));
	memcpy(&m, bytes.bytes, sizeof(m));
	arena_reset(&fit.scratch);
	cr_assert_eq(
	    forecast_answer(&m, &s, &fit.scratch, points), FORECAST_OK);
	ok(forecasts_made(fx.warm, FLOW, 0, made, &n, &fx.info));
	cr_assert_geq(n, 1);
	cr_assert_eq(made[0].origin_us, ORIGIN);
	for (i = 0; i < FORECASTS_HOURS; i++) {
		cr_assert_eq(
		    made[0].points[FORECASTS_VALUE][i], points[i].value);
		cr_assert_eq(
		    made[0].points[FORECASTS_LOWER][i], points[i].lower);
		cr_assert_eq(
		    made[0].points[FORECASTS_UPPER][i], points[i].upper);
	}
}

Test(forecasts, the_first_model_reigns_and_forecasts)
{
	learn();
	cr_assert_eq(count("models WHERE state = 'champion'"), 1);
	cr_assert_eq(count("predictions"), 1);
	same_as_the_model();
	/* The same again is no better: it is seen as the challenger. */
	learn();
	cr_assert_eq(count("models WHERE state = 'challenger'"), 1);
	cr_assert_eq(count("predictions"), 1);
	/* What a person promotes is due, and forecasts. */
	sql("SELECT model_promote(id, '{\"reason\": \"x\"}', 'erin') FROM "
	    "models WHERE state = 'challenger'");
	predict();
	cr_assert_eq(count("predictions"), 2);
	same_as_the_model();
}

Test(forecasts, a_holiday_is_forecast_as_one)
{
	const int64_t day = (ORIGIN + US_PER_DAY) / US_PER_DAY;

	learn();
	sql("UPDATE predictions SET made_at = made_at - interval '1 h', "
	    "origin = origin - interval '1 h'");
	sql("INSERT INTO holidays VALUES ('1970-01-01'::date + %d, 'Feast')",
	    (int)day);
	ok(forecasts_calendar(fx.warm, &fit.holidays, &fx.info));
	cr_assert_eq(fit.holidays.n, 1);
	cr_assert_eq(fit.holidays.days[0], day);
	predict();
	same_as_the_model();
}

Test(forecasts, too_short_a_history_is_refused)
{
	history(9);
	learn();
	refused("too short");
	cr_assert_eq(count("models"), 0);
	history(0);
	learn();
	refused("no good reading");
}

Test(forecasts, bytes_of_another_release_are_void)
{
	learn();
	sql("UPDATE models SET format = format - 1");
	predict();
	refused("another release");
	learn();
	cr_assert_eq(
	    count("models WHERE state = 'champion' AND version = 2"), 1);
	predict();
	cr_assert_eq(count("forecast_states WHERE refused IS NULL"), 1);
	same_as_the_model();
}

Test(forecasts, bytes_that_are_no_model_are_void)
{
	learn();
	sql("UPDATE models SET model = 'x'");
	predict();
	refused("another release");
	sql("UPDATE models SET model = decode(repeat('ff', %zu), 'hex')",
	    sizeof(struct forecast_model));
	predict();
	refused("another release");
	/* More than there is room for. */
	sql("UPDATE models SET model = decode(repeat('ff', %d), 'hex')",
	    FORECASTS_MODEL + 1);
	predict();
	refused("a model of");
	sql("UPDATE models SET model = ''");
	learn();
	cr_assert_eq(
	    count("models WHERE state = 'champion' AND version = 2"), 1);
	same_as_the_model();
}

Test(forecasts, what_dies_leaves_nothing_half)
{
	learn();
	sql_kill_loop();
	cr_assert_eq(fit_series_do(&fit, FLOW, true, &fx.info), ERR_DATABASE);
	cr_assert_eq(count("models"), 1);
	cr_assert_eq(count("predictions"), 1);
	/* Stopped while it learnt: claimed, but nothing of it is kept. */
	{
		bool leads;

		ok(forecasts_lead(fx.warm, &leads, &fx.info));
	}
	atomic_store(&stopping, true);
	cr_assert_eq(fit_series_do(&fit, FLOW, true, &fx.info), ERR_DEADLINE);
	cr_assert_eq(count("models"), 1);
	atomic_store(&stopping, false);
	learn();
	cr_assert_eq(count("models"), 2);
}
