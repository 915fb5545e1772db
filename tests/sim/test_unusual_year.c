/*
 * Half a year of a network in which nothing is wrong, through the loop: what is
 * raised by chance stays within what was asked for, and what is planted is
 * found. Three kinds of districts (homes, trade, a works that rests on weekends)
 * and their pressures, with a season, weekends, holidays, clocks that change,
 * noise that stays for hours, sensors that fail for half a day, and loggers that
 * upload once a day. Of a sensor that fails it is told, and of no other, that it is
 * unheard.
 *
 * Chance raises as many as a Poisson process of the rate that was asked for: of
 * an expected n no more than n + 3 sqrt(n), all but once in a thousand runs. The
 * noise is the same each time. The fortnight in which clocks change is counted
 * apart: people's days move by an hour against UTC, by which series are judged,
 * in all districts at once, and that is no chance; there it is one a series at
 * the most.
 */
#include "core/instant.h"
#include "domain/anomaly.h"
#include "domain/reading.h"
#include "mape/loop.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES	120
#define STEP	(30 * US_PER_MINUTE)
#define DAY	48 /* steps */
#define WEEKS	28 /* two of them are learnt from alone */
#define T0	instant_from_civil(2026, 1, 5, 0) /* a Monday */
#define PLANTED 6
#define SOON	12 /* steps */
#define CLOCKS	83 /* day on which they change */
#define LEARNT	15 /* days until a series is known */
#define FAILS	1024

enum kind { HOMES, TRADE, WORKS, PRESSURE, KINDS };

static struct year {
	struct twin *twin;
	struct ports ports;
	struct loop_ctx loop;
	struct series series[SERIES];
	struct reading kept[SERIES][DAY]; /* not uploaded yet */
	size_t nkept[SERIES];
	double noise[SERIES]; /* what stays of it for hours */
	int64_t broken_until[SERIES];
	struct failure {
		int32_t series;
		int64_t from_us; /* its first reading that is missing */
	} failures[FAILS];
	size_t nfailures;
	uint64_t random;
	bool planted;
	int64_t at; /* step */
} y;

static double
uniform(void)
{
	y.random ^= y.random << 13;
	y.random ^= y.random >> 7;
	y.random ^= y.random << 17;
	return ((double)(y.random >> 11) * 0x1p-53);
}

/* Irwin-Hall: twelve uniform ones. */
static double
normal(void)
{
	double sum = -6;
	int i;

	for (i = 0; i < 12; i++)
		sum += uniform();
	return (sum);
}

static void
start(double a_week)
{
	size_t i;

	y = (struct year){.random = 20261121};
	y.twin = twin_new(T0, 1);
	twin_ports(y.twin, &y.ports);
	loop_init(&y.loop);
	y.loop.unusual.a_week = a_week;
	for (i = 0; i < SERIES; i++)
		y.series[i] = (struct series){
		    .id = (int32_t)i + 1,
		    .node = "N",
		    .node_type = "dma",
		    .zone = "",
		    .metric = i % KINDS == PRESSURE ? "pressure" : "flow",
		    .unit = i % KINDS == PRESSURE ? "m" : "m3/h",
		    .cadence_us = STEP,
		    .max_rate_per_min = NAN,
		};
	y.twin->knowledge.series = y.series;
	y.twin->knowledge.nseries = SERIES;
}

static void
stop(void)
{
	cr_expect_str_eq(y.twin->violation, "");
	loop_done(&y.loop);
	twin_free(y.twin);
}

/* A loggers' series: every fifth. */
static bool
is_logger(size_t i)
{
	return (i % 5 == 4);
}

/* People live by the clock on the wall, one hour on from 29 March. */
static double
hour_of_day(void)
{
	int64_t wall = y.at + (y.at >= CLOCKS * DAY + 2 ? 2 : 0);

	return ((double)(wall % DAY) / 2);
}

/* Sundays, and some holidays as Sundays. */
static bool
is_rest(int64_t day)
{
	static const int16_t holidays[] = {88, 91, 110, 116, 148};
	size_t i;

	for (i = 0; i < sizeof(holidays) / sizeof(holidays[0]); i++)
		if (day == holidays[i])
			return (true);
	return (day % 7 == 6);
}

/* The shape of demand, of a mean of about one. */
static double
demand(enum kind kind)
{
	int64_t day = y.at / DAY;
	bool rest = is_rest(day), saturday = day % 7 == 5;
	double h = hour_of_day(), morning, evening, shift;

	morning = exp(-pow((h - (rest || saturday ? 10 : 7.5)) / 2, 2));
	evening = exp(-pow((h - 19.5) / 2.5, 2));
	shift = 1 / (1 + exp(-(h - 6) * 3)) - 1 / (1 + exp(-(h - 18) * 3));
	if (kind == WORKS)
		return (0.3 + (rest || saturday ? 0.1 : 1.4) * shift);
	if (kind == TRADE)
		return (0.4 + (rest ? 0.4 : 1.2) * shift);
	return (0.45 + 1.1 * morning + 0.9 * evening);
}

/* What a sound sensor would read; season: a fifth from winter to summer. */
static double
sound(size_t i)
{
	enum kind kind = (enum kind)(i % KINDS);
	double size = 20 + 7 * (double)(i % 11);
	double season = 1 - 0.1 * cos(2 * M_PI * (double)y.at / (365.0 * DAY));
	double d;

	y.noise[i] += 0.1 * (normal() * 0.15 - y.noise[i]);
	if (kind == PRESSURE)
		return (45 - 6 * demand(HOMES) * season + 3 * y.noise[i] +
		    0.2 * normal());
	d = demand(kind) * season;
	return (size * d * (1 + y.noise[i] + 0.04 * normal()));
}

/* What goes wrong in the last week, after so many steps. */
static const struct plant {
	const char *what;
	size_t series;
	const char *rule; /* "" if several will do */
	int from, steps;
	double times, more;
} plants[PLANTED] = {
    {"a burst", 0, "", 3, 96, 1, 30},
    {"a frozen sensor", 1, "unusual:freeze", 20, 300, 0, 33},
    {"less pressure", 3, "", 40, 60, 1, -8},
    {"one wild reading", 5, "", 60, 1, 10, 0},
    {"a logger's meter gone wrong", 4, "", 5, 200, 1.8, 0},
    {"a works at night", 10, "", 100, 20, 1, 60},
};

static double
with_plant(size_t i, double value)
{
	int64_t at = y.at - (WEEKS - 1) * 7 * DAY;
	const struct plant *p;

	for (p = plants; p < plants + PLANTED; p++)
		if (p->series == i && at >= p->from && at < p->from + p->steps)
			return (p->times * value + p->more);
	return (value);
}

static void
fail(size_t i)
{
	y.broken_until[i] = y.at + DAY / 2;
	cr_assert_lt(y.nfailures, FAILS);
	y.failures[y.nfailures++] =
	    (struct failure){(int32_t)i + 1, y.twin->now_us};
}

/* Twice a year each sensor is away for half a day. */
static bool
is_broken(size_t i)
{
	if (y.at < y.broken_until[i])
		return (true);
	if (uniform() < 1.0 / (180 * DAY))
		fail(i);
	return (y.at < y.broken_until[i]);
}

static void
measure(size_t i)
{
	double value = sound(i);
	struct reading *r;
	size_t k;

	if (y.planted)
		value = with_plant(i, value);
	if (!is_broken(i)) {
		r = &y.kept[i][y.nkept[i]++];
		*r = (struct reading){(int32_t)i + 1, QUALITY_GOOD,
		    round(value * 100) / 100, y.twin->now_us, 0};
	}
	if (y.nkept[i] == 0 || (is_logger(i) && (y.at + (int64_t)i) % DAY != 0))
		return;
	for (k = 0; k < y.nkept[i]; k++)
		y.kept[i][k].received_us = y.twin->now_us;
	twin_log(y.twin, y.kept[i], y.nkept[i]);
	y.nkept[i] = 0;
}

static void
live(void)
{
	struct loop_figures f;
	struct err_info info = {0};
	size_t i;

	for (y.at = 0; y.at < WEEKS * 7 * DAY; y.at++) {
		y.twin->now_us += STEP;
		for (i = 0; i < SERIES; i++)
			measure(i);
		cr_assert_eq(loop_cycle(&y.loop, &y.ports, &f, &info), ERR_OK,
		    "%s", info.detail);
		if (y.at % (7 * DAY) == 0)
			twin_forget(y.twin, y.twin->now_us - 3 * US_PER_DAY);
	}
}

static const char *
planted_in(size_t series, const struct twin_anomaly *o)
{
	const int64_t week = T0 + (int64_t)(WEEKS - 1) * 7 * DAY * STEP;
	size_t k;

	for (k = 0; k < PLANTED; k++)
		if (plants[k].series == series &&
		    o->anomaly.last_us >= week + plants[k].from * STEP)
			return (plants[k].rule);
	return (NULL);
}

/* Whether it is of the fortnight in which clocks changed. */
static bool
of_clocks(const struct twin_anomaly *o)
{
	int64_t day = (o->anomaly.last_us - T0) / US_PER_DAY;

	return (day >= CLOCKS && day < CLOCKS + 14);
}

static bool
tells_of(const struct twin_anomaly *o, const struct failure *f)
{
	return (o->anomaly.condition.series == f->series &&
	    strcmp(o->anomaly.rule_id, "unusual:silence") == 0 &&
	    llabs(o->anomaly.first_us - f->from_us) <= STEP);
}

static bool
of_failure(const struct twin_anomaly *o)
{
	size_t i;

	if (strcmp(o->anomaly.rule_id, "unusual:silence") != 0)
		return (false);
	for (i = 0; i < y.nfailures; i++)
		if (tells_of(o, &y.failures[i]))
			return (true);
	cr_expect(
	    false, "series %d was not silent", o->anomaly.condition.series);
	return (false);
}

/* Half a day is not long for who uploads once a day. */
static bool
is_to_be_told(const struct failure *f)
{
	return (!is_logger((size_t)f->series - 1) &&
	    f->from_us > T0 + LEARNT * US_PER_DAY &&
	    f->from_us < T0 + WEEKS * 7 * US_PER_DAY - US_PER_DAY / 2);
}

/* Of sensors that fail how many are not told of, as nothing else is. */
static void
check_failures(void)
{
	int n = 0, told = 0;
	size_t i, k;

	for (k = 0; k < y.nfailures; k++) {
		if (!is_to_be_told(&y.failures[k]))
			continue;
		n++;
		for (i = 0; i < y.twin->nanomalies; i++)
			if (tells_of(&y.twin->anomalies[i], &y.failures[k])) {
				told++;
				break;
			}
	}
	printf("%d of %d sensors that failed are told of\n", told, n);
	cr_assert_gt(n, 50);
	cr_assert_geq(told, n * 9 / 10);
}

static int
count(bool clocks)
{
	int n = 0;
	size_t i;

	for (i = 0; i < y.twin->nanomalies; i++)
		n += of_clocks(&y.twin->anomalies[i]) == clocks &&
		    !of_failure(&y.twin->anomalies[i]);
	return (n);
}

static void
check(double a_week)
{
	double expected = a_week * (WEEKS - 4);
	int n, clocks;

	start(a_week);
	live();
	n = count(false);
	clocks = count(true);
	printf("asked for %g a week: %d in %d weeks; %d as clocks changed\n",
	    a_week, n, WEEKS - 4, clocks);
	check_failures();
	cr_assert_leq(clocks, SERIES);
	cr_assert_leq(n, expected + 3 * sqrt(expected));
	stop();
}

/* When what was planted was told of, by the times of the readings. */
static const struct twin_anomaly *
find_planted(size_t k)
{
	const struct twin_anomaly *o;
	const char *rule;
	size_t i;

	for (i = 0; i < y.twin->nanomalies; i++) {
		o = &y.twin->anomalies[i];
		rule = planted_in(plants[k].series, o);
		if (o->anomaly.condition.series ==
			(int32_t)plants[k].series + 1 &&
		    rule != NULL &&
		    (rule[0] == '\0' || strcmp(rule, o->anomaly.rule_id) == 0))
			return (o);
	}
	return (NULL);
}

/* How many steps after it began it is said to have begun. */
static double
since(const struct twin_anomaly *o, size_t k)
{
	int64_t at = (o->anomaly.first_us - T0) / STEP - 1;

	return ((double)(at - (WEEKS - 1) * 7 * DAY - plants[k].from));
}

Test(unusual_year, what_is_planted_is_found)
{
	const struct twin_anomaly *o;
	size_t k;

	start(7);
	y.planted = true;
	live();
	for (k = 0; k < PLANTED; k++) {
		o = find_planted(k);
		cr_expect(o != NULL, "%s", plants[k].what);
		if (o != NULL)
			cr_expect(fabs(since(o, k)) <= SOON, "%s: %g steps",
			    plants[k].what, since(o, k));
	}
	stop();
}

Test(unusual_year, one_a_week)
{
	check(1);
}

Test(unusual_year, seven_a_week)
{
	check(7);
}
