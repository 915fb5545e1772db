/* A simulated week of the district, at one reading per series and minute. */
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>

#define DAY 1440 /* ticks */
#define OPEN_BURST(w)                                           \
	world_open((w), "DEMO-WEST", "flow", ANOMALY_THRESHOLD, \
	    DIRECTION_HIGH, SEVERITY_CRITICAL)

static struct world w;

static void
start(void)
{
	world_init(
	    &w, 20261120, instant_from_civil(2026, 11, 16, 0), US_PER_MINUTE);
}

static void
stop(void)
{
	world_done(&w);
}

TestSuite(week, .init = start, .fini = stop);

static int
count_anomalies(enum anomaly_type type)
{
	int n = 0;
	size_t i;

	for (i = 0; i < w.twin->nanomalies; i++)
		n += w.twin->anomalies[i].anomaly.condition.type == type;
	return (n);
}

static void
burst_and_repair(void)
{
	struct twin_plan *p;

	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 2);
	cr_assert(OPEN_BURST(&w) != NULL, "an anomaly within two cycles");
	cr_assert_str_eq(OPEN_BURST(&w)->planning, "proposed");
	cr_assert_str_eq(w.twin->system_state, "emergency");
	p = world_last_plan(&w);
	world_ticks(&w, 12);
	cr_assert_eq(w.received, 0, "nothing leaves unapproved");
	cr_assert(twin_approve(w.twin, p->plan.id));
	world_ticks(&w, 1);
	cr_assert_eq(w.executed, 1);
	cr_assert_not(w.district.west_open);
	world_ticks(&w, 14);
	cr_assert_eq((int)p->plan.state, PLAN_WORKED, "%s", p->verdict);
	cr_assert(OPEN_BURST(&w) == NULL);
	district_inject(&w.district, DISTRICT_BURST, false);
	cr_assert(district_valve_set(&w.district, "DEMO-V1", true));
}

Test(week, burst_frozen_silence)
{
	world_ticks(&w, 2 * DAY + 600);
	cr_assert_eq(w.twin->nplans, 0, "nothing proposed in peace");
	burst_and_repair();
	world_ticks(&w, DAY);
	cr_assert_eq(count_anomalies(ANOMALY_FLATLINE), 0);
	district_inject(&w.district, DISTRICT_FROZEN, true);
	world_ticks(&w, 25);
	cr_assert(world_open(&w, "DEMO-N1", "pressure", ANOMALY_FLATLINE,
		      DIRECTION_NONE, SEVERITY_WARNING) != NULL);
	cr_assert_str_eq(w.twin->system_state, "alert");
	district_inject(&w.district, DISTRICT_FROZEN, false);
	world_ticks(&w, DAY);
	cr_assert_eq(count_anomalies(ANOMALY_FLATLINE), 1);
	cr_assert_eq(count_anomalies(ANOMALY_SILENCE), 0);
	district_inject(&w.district, DISTRICT_SILENCE, true);
	world_ticks(&w, 5);
	cr_assert_eq(count_anomalies(ANOMALY_SILENCE), 2);
	cr_assert(world_open(&w, "DEMO-S2", "pressure", ANOMALY_SILENCE,
		      DIRECTION_NONE, SEVERITY_WARNING) != NULL);
	district_inject(&w.district, DISTRICT_SILENCE, false);
	world_ticks(&w, 1);
	cr_assert(world_open(&w, "DEMO-S2", "pressure", ANOMALY_SILENCE,
		      DIRECTION_NONE, SEVERITY_WARNING) == NULL);
	while (w.twin->now_us < instant_from_civil(2026, 11, 23, 0))
		world_ticks(&w, 1);
	cr_assert_str_eq(w.twin->system_state, "normal");
	cr_assert_eq(w.twin->nplans, 1);
	cr_assert_leq(count_anomalies(ANOMALY_OUTLIER), 20);
	cr_assert_eq(w.failed_cycles, 0);
	cr_assert_str_eq(w.twin->violation, "");
}

Test(week, every_reading_is_stored_once)
{
	int64_t stored = 0, rolled = 0;
	size_t i, j;

	district_inject(&w.district, DISTRICT_SILENCE, true);
	world_ticks(&w, DAY + 10);
	for (i = 0; i < w.twin->nseries; i++) {
		stored += (int64_t)w.twin->series[i].n;
		for (j = 0; j < w.twin->series[i].nrollups; j++) {
			if (w.twin->series[i].rollups[j].width_s == 3600)
				rolled += w.twin->series[i].rollups[j].count;
		}
	}
	cr_assert_eq(stored, w.logged);
	cr_assert_eq(rolled, w.logged);
	cr_assert_eq(w.twin->log_head, w.twin->nlog);
	cr_assert_str_eq(w.twin->violation, "");
}

Test(week, paused_loop_still_monitors)
{
	world_ticks(&w, 10);
	w.twin->paused = true;
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 10);
	cr_assert(OPEN_BURST(&w) != NULL);
	cr_assert(OPEN_BURST(&w)->planning == NULL);
	cr_assert_eq(w.twin->nplans, 0);
	w.twin->paused = false;
	world_ticks(&w, 1);
	cr_assert_eq(w.twin->nplans, 1);
	w.twin->paused = true;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 3);
	cr_assert_eq(w.received, 0);
	w.twin->paused = false;
	world_ticks(&w, 1);
	cr_assert_eq(w.executed, 1);
	cr_assert_str_eq(w.twin->violation, "");
}

/* As the demo runs it: a reading every two seconds. */
Test(week, demo_pace)
{
	world_done(&w);
	world_init(
	    &w, 11, instant_from_civil(2026, 11, 16, 0), 2 * US_PER_SECOND);
	world_ticks(&w, 30);
	burst_and_repair();
	cr_assert_eq(w.twin->nplans, 1);
	cr_assert_str_eq(w.twin->violation, "");
}
