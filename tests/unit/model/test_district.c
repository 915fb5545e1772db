#include "model/district.h"

#include "core/instant.h"
#include "domain/series.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct district d;
static int64_t t_us;

static void
start(void)
{
	t_us = instant_from_civil(2026, 6, 1, 0);
	district_init(&d, 3, t_us, US_PER_MINUTE);
}

TestSuite(district, .init = start);

static double
see(const char *node, const char *metric)
{
	int at = district_find(node, metric);

	cr_assert_geq(at, 0);
	return (district_read(&d, (size_t)at));
}

static void
run(int minutes)
{
	while (minutes-- > 0)
		district_step(&d, t_us += US_PER_MINUTE);
}

Test(district, tables_are_whole)
{
	size_t i, j;

	for (i = 0; i < DISTRICT_NODES; i++)
		cr_assert(district_nodes[i].code != NULL);
	for (i = 0; i < DISTRICT_LINKS; i++)
		cr_assert_lt(district_links[i].from, district_links[i].to);
	for (i = 0; i < DISTRICT_SERIES; i++) {
		cr_assert(district_series[i].unit != NULL);
		for (j = 0; j < i; j++)
			cr_assert(district_series[i].node !=
				district_series[j].node ||
			    strcmp(district_series[i].metric,
				district_series[j].metric) != 0);
	}
}

Test(district, a_quiet_week_stays_within_its_limits)
{
	const struct district_threshold *th;
	size_t i, j;
	int minute;
	double v;

	for (minute = 0; minute < 7 * 1440; minute++) {
		run(1);
		for (i = 0; i < DISTRICT_SERIES; i++) {
			v = district_read(&d, i);
			cr_assert(isfinite(v));
			for (j = 0; j < district_series[i].nthresholds; j++) {
				th = &district_series[i].thresholds[j];
				cr_assert(th->direction == DIRECTION_HIGH
					? v < th->set
					: v > th->set);
			}
		}
	}
}

Test(district, same_seed_same_water)
{
	struct district other;

	run(100);
	district_init(
	    &other, 3, instant_from_civil(2026, 6, 1, 0), US_PER_MINUTE);
	while (other.t_us < d.t_us)
		district_step(&other, other.t_us + US_PER_MINUTE);
	cr_assert_arr_eq(d.values, other.values, sizeof(d.values));
}

Test(district, a_closed_valve_ends_the_burst_and_the_rider_feeds_the_west)
{
	double before, after;

	run(600);
	before = see("DEMO-WEST", "flow");
	district_inject(&d, DISTRICT_BURST, true);
	run(1);
	after = see("DEMO-WEST", "flow");
	cr_assert_gt(after, before + 20);
	cr_assert(district_valve_set(&d, "DEMO-V1", false));
	run(1);
	cr_assert_eq(see("DEMO-WEST", "flow"), 0);
	cr_assert_eq(see("DEMO-WEST", "opening"), 0);
	cr_assert_gt(see("DEMO-W1", "pressure"), 20);
	cr_assert_not(district_valve_set(&d, "DEMO-V2", false));
}

Test(district, faults_of_sensors)
{
	double v;

	run(10);
	v = see("DEMO-N1", "pressure");
	district_inject(&d, DISTRICT_FROZEN, true);
	district_inject(&d, DISTRICT_SILENCE, true);
	run(5);
	cr_assert_eq(see("DEMO-N1", "pressure"), v);
	cr_assert(isnan(see("DEMO-S2", "pressure")));
	district_inject(&d, DISTRICT_FROZEN, false);
	district_inject(&d, DISTRICT_SILENCE, false);
	run(1);
	cr_assert_neq(see("DEMO-N1", "pressure"), v);
	cr_assert_not(isnan(see("DEMO-S2", "pressure")));
}

Test(district, time_never_runs_back)
{
	double volume;

	run(10);
	volume = see("DEMO-WEST", "volume");
	district_step(&d, t_us - US_PER_HOUR);
	cr_assert_eq(d.t_us, t_us);
	run(1);
	cr_assert_gt(see("DEMO-WEST", "volume"), volume);
}
