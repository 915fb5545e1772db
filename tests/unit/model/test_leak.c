#include "model/balance.h"
#include "model/leak.h"

#include <criterion/criterion.h>
#include <math.h>

#define DAY	    24
#define HOURS	    (70 * DAY)
#define PUMPS	    5
#define QUIET_YEARS 3
#define FIRST	    (19723 * (int64_t)DAY) /* 2024-01-01 */

static uint64_t seed;

static double
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return ((double)(seed >> 11) / 9007199254740992.0 - 0.5);
}

/* What a district takes in: one peak a day, less at weekends. */
static double
inflow(int64_t t)
{
	const double hour = (double)(t % DAY);

	return (100 - 50 * cos((hour - 3) / DAY * 6.2831853) -
	    (t / DAY % 7 >= 5 ? 8 : 0) + 8 * uniform());
}

struct found {
	size_t n;
	int64_t at;
	struct leak_alarm first;
};

/* A leak of `size` from hour `from` until `to`; hours in [gap, gap + 30)
 * are missing. */
static struct found
watch(double size, int64_t from, int64_t to, int64_t gap)
{
	struct found f = {0, 0, {0}};
	struct leak_alarm a;
	struct leak l;
	int64_t t;

	seed = 5;
	leak_init(&l);
	for (t = 0; t < HOURS; t++) {
		double x = inflow(t) + (t >= from && t < to ? size : 0);

		if (gap > 0 && t >= gap && t < gap + 30)
			x = NAN;
		if (leak_hour(&l, FIRST + t, x, &a) && a.kind != LEAK_SETTLED &&
		    f.n++ == 0) {
			f.at = t;
			f.first = a;
		}
	}
	return (f);
}

Test(leak, alarms_within_a_day_and_once)
{
	const int64_t from = 30 * DAY + 14;
	const struct found f = watch(15, from, HOURS, 0);

	cr_assert_eq(f.n, 1, "%zu alarms", f.n);
	cr_expect_eq(f.first.kind, LEAK_STEP);
	cr_expect_geq(f.at, from);
	cr_expect_lt(f.at, from + DAY);
	cr_expect_leq(f.first.onset - FIRST, from + 3);
	cr_expect_geq(f.first.onset - FIRST, from - 3);
	cr_expect_float_eq(f.first.size, 15, 6);
	cr_expect_gt(f.first.volume, 0);
	cr_expect(f.first.confidence > 0 && f.first.confidence < 1);
}

Test(leak, is_silent_without_one)
{
	cr_expect_eq(watch(0, 0, 0, 0).n, 0);
	cr_expect_eq(watch(0, 0, 0, 25 * DAY).n, 0);
}

/* Three years of summers, holidays every two months, days that are not alike
 * and hours that hang together: no leak, and no more than three alarms a year,
 * whatever the numbers drawn. */
Test(leak, alarms_rarely_in_quiet_years)
{
	struct leak_alarm a;
	struct leak l;
	double day, hour, x;
	size_t n, run;
	int64_t t;

	for (run = 0; run < 5; run++) {
		seed = run;
		day = hour = 0;
		n = 0;
		leak_init(&l);
		for (t = 0; t < QUIET_YEARS * 365 * DAY; t++) {
			if (t % DAY == 0)
				day = 0.7 * day + 0.06 * uniform();
			hour = 0.5 * hour + 0.1 * uniform();
			x = inflow(t) * (1 + day) * (1 + hour) *
			    (t / DAY % 61 == 17 ? 0.94 : 1) *
			    (1 +
				0.1 * sin((double)t / (365 * DAY) * 6.2831853));
			if (leak_hour(&l, FIRST + t, x, &a) &&
			    a.kind != LEAK_SETTLED)
				n++;
		}
		cr_expect_leq(n, 3 * QUIET_YEARS, "%zu alarms", n);
	}
}

/* Half a day of water for a pool or a fire, by day or by night. */
Test(leak, tells_nothing_that_ends_by_itself)
{
	int64_t from;

	for (from = 30 * DAY; from < 31 * DAY; from += 5)
		cr_expect_eq(watch(9, from, from + 8, 0).n, 0, "from %ld",
		    (long)(from % DAY));
}

/* A day without water, and it comes back. */
Test(leak, knows_what_comes_back)
{
	cr_expect_eq(watch(-80, 30 * DAY, 31 * DAY, 0).n, 0);
	cr_expect_eq(watch(-80, 30 * DAY + 13, 33 * DAY, 0).n, 0);
	cr_expect_eq(watch(-20, 30 * DAY + 13, 32 * DAY, 0).n, 0);
}

/* One of twice the size is told, where the other was none. */
Test(leak, takes_a_persons_word)
{
	struct leak_alarm a;
	struct leak l;
	size_t n = 0;
	int64_t t;

	seed = 5;
	leak_init(&l);
	for (t = 0; t < HOURS; t++) {
		const double more = (t >= 25 * DAY && t < 29 * DAY ? 12 : 0) +
		    (t >= 40 * DAY && t < 44 * DAY ? 12 : 0) +
		    (t >= 55 * DAY ? 30 : 0);

		if (!leak_hour(&l, FIRST + t, inflow(t) + more, &a) ||
		    a.kind == LEAK_SETTLED)
			continue;
		if (n++ == 0) {
			cr_expect_lt(t, 26 * DAY);
			leak_dismiss(&l);
		} else {
			cr_expect_geq(t, 55 * DAY);
			cr_expect_lt(t, 56 * DAY);
		}
	}
	cr_expect_eq(n, 2, "%zu alarms", n);
}

/* What is mended is no alarm; the next leak is one. */
Test(leak, knows_a_repair)
{
	const struct found f = watch(20, 30 * DAY, 40 * DAY, 0);

	cr_expect_eq(f.n, 1, "%zu alarms", f.n);
}

Test(leak, bears_a_gap_at_the_onset)
{
	const struct found f = watch(20, 30 * DAY, HOURS, 30 * DAY - 10);

	cr_expect_eq(f.n, 1, "%zu alarms", f.n);
	cr_expect_lt(f.at, 32 * DAY);
}

Test(leak, sees_one_that_grows)
{
	struct leak_alarm a = {0};
	struct leak l;
	bool seen = false;
	int64_t t, at = 0;

	seed = 5;
	leak_init(&l);
	for (t = 0; t < HOURS && !seen; t++) {
		const double grown =
		    t > 35 * DAY ? (double)(t - 35 * DAY) / (35 * DAY) * 25 : 0;

		seen = leak_hour(&l, FIRST + t, inflow(t) + grown, &a) &&
		    a.kind == LEAK_GROWTH;
		at = t;
	}
	cr_assert(seen);
	cr_expect_gt(at, 36 * DAY);
	cr_expect_gt(a.size, 2);
	cr_expect_gt(a.night, a.usual);
}

/* Two inlets share one network, which also feeds a pump that fills a tank. */
Test(balance, finds_what_feeds_what)
{
	static double north[HOURS], south[HOURS], pump[HOURS], tank[HOURS],
	    other[HOURS];
	const struct balance_input in[] = {{north, BALANCE_FLOW},
	    {south, BALANCE_FLOW}, {pump, BALANCE_FLOW}, {tank, BALANCE_LEVEL},
	    {other, BALANCE_FLOW}};
	struct balance_zone z[5];
	double level = 3, part, before, end = 3;
	size_t t, n, i;
	bool on = true;

	seed = 11;
	for (t = 0; t < HOURS; t++) {
		const double use = 20 + 8 * sin((double)t / DAY * 6.2831853);

		on = level < 2.5 || (on && level < 3.5);
		pump[t] = on ? 44 : 0;
		before = level;
		level += (pump[t] - use - uniform()) / 150;
		tank[t] = (before + level) / 2; /* the hour's mean */
		part = 0.5 + 0.1 * uniform();
		north[t] = (inflow((int64_t)t) + pump[t]) * part;
		south[t] = (inflow((int64_t)t) + pump[t]) * (1 - part);
		other[t] = inflow((int64_t)t);
		end = use;
	}
	n = balance_zones(in, 5, 14 * DAY, z);
	cr_assert_eq(n, 3, "%zu zones", n);
	cr_assert_eq(z[0].n, 2); /* pump - tank */
	cr_expect_eq(z[0].terms[0].input, 2);
	cr_expect_eq(z[0].terms[1].input, 3);
	cr_expect_float_eq(z[0].terms[1].factor, -150, 30);
	cr_assert_eq(z[1].n, 3); /* north + south - pump */
	for (i = 0; i < 3; i++)
		cr_expect_eq(z[1].terms[i].factor, i < 2 ? 1 : -1);
	cr_assert_eq(z[2].n, 1);
	cr_expect_eq(z[2].terms[0].input, 4);
	cr_expect_float_eq(balance_at(&z[0], in, HOURS - 1), end, 6);
	cr_expect_float_eq(balance_at(&z[1], in, 100),
	    north[100] + south[100] - pump[100], 1e-9);
	cr_expect(isnan(balance_at(&z[0], in, 0)));
}

/* Pumps of one main, each of which could be a zone and make the main another:
 * no more zones than there is room for. */
Test(balance, finds_no_more_zones_than_inputs)
{
	static double flow[PUMPS + 1][HOURS];
	struct balance_input in[PUMPS + 1];
	struct balance_zone z[2 * (PUMPS + 1)];
	size_t t, i, n;

	seed = 3;
	for (t = 0; t < HOURS; t++) {
		flow[PUMPS][t] = 20 + uniform();
		for (i = 0; i < PUMPS; i++) {
			flow[i][t] = uniform() > 0 ? 44 : 0;
			flow[PUMPS][t] += flow[i][t];
		}
	}
	for (i = 0; i <= PUMPS; i++)
		in[i] = (struct balance_input){flow[i], BALANCE_FLOW};
	for (i = 0; i < 2 * (PUMPS + 1); i++)
		z[i].n = SIZE_MAX;
	n = balance_zones(in, PUMPS + 1, 14 * DAY, z);
	cr_assert_leq(n, PUMPS + 1);
	for (i = 0; i < n; i++)
		cr_expect(z[i].n > 0 && z[i].n <= BALANCE_MOST);
	for (; i < 2 * (PUMPS + 1); i++)
		cr_expect_eq(z[i].n, SIZE_MAX, "zone %zu", i);
}
