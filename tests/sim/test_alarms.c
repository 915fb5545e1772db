/* Alarms of the simulated district, and operators who look or do not. */
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BURST(w)                                                \
	world_open((w), "DEMO-WEST", "flow", ANOMALY_THRESHOLD, \
	    DIRECTION_HIGH, SEVERITY_CRITICAL)

static struct world w;

static void
start(void)
{
	world_init(
	    &w, 20261120, instant_from_civil(2026, 11, 16, 0), US_PER_MINUTE);
	world_ticks(&w, 60);
}

static void
stop(void)
{
	world_done(&w);
}

TestSuite(alarms, .init = start, .fini = stop);

static struct twin_anomaly *
burst(void)
{
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 2);
	cr_assert(BURST(&w) != NULL);
	return (BURST(&w));
}

/* Each history is a walk through the table from its beginning. */
static void
check_walks(void)
{
	enum alarm_state at[TWIN_ANOMALIES] = {ALARM_NORMAL};
	const struct fsm_row *row;
	const struct move *m;
	size_t i;

	for (i = 0; i < w.twin->ntransitions; i++) {
		m = &w.twin->transitions[i];
		if (strcmp(m->subject, "alarm") != 0)
			continue;
		for (row = alarm_fsm.rows; strcmp(row->id, m->row_id) != 0;)
			cr_assert_lt(
			    ++row - alarm_fsm.rows, (long)alarm_fsm.nrows);
		cr_assert_str_eq(m->from, alarm_state_name(at[m->id - 1]));
		cr_assert(
		    row->from == FSM_ANY || row->from == (int)at[m->id - 1]);
		if (row->to != FSM_ANY)
			at[m->id - 1] = (enum alarm_state)row->to;
	}
	for (i = 0; i < w.twin->nanomalies; i++)
		cr_assert_eq(w.twin->anomalies[i].alarm.state, at[i]);
	cr_assert_str_eq(w.twin->violation, "");
}

Test(alarms, nobody_looks_at_a_burst)
{
	struct twin_anomaly *o = burst();

	world_ticks(&w, 9);
	cr_assert_eq(o->alarm.escalations, 0);
	world_ticks(&w, 25);
	cr_assert_eq(o->alarm.escalations, ALARM_ESCALATIONS_MAX);
	world_ticks(&w, 60);
	cr_assert_eq(o->alarm.escalations, ALARM_ESCALATIONS_MAX);
	check_walks();
}

Test(alarms, somebody_shelves_it_and_it_comes_back)
{
	struct twin_anomaly *o = burst();
	int64_t until = w.twin->now_us + 30 * US_PER_MINUTE;

	cr_assert(twin_shelve(w.twin, o->anomaly.id, until));
	world_ticks(&w, 29);
	cr_assert_eq(o->alarm.state, ALARM_SHELVED);
	world_ticks(&w, 1);
	cr_assert_eq(o->alarm.state, ALARM_UNACKNOWLEDGED);
	cr_assert_eq(o->alarm.state_us, until, "to the tick");
	check_walks();
}

Test(alarms, maintenance_of_the_zone_keeps_all_of_it_quiet)
{
	struct twin_hold *h = twin_hold(w.twin,
	    &(struct twin_hold){.zone = DISTRICT_ZONE,
		.from_us = w.twin->now_us,
		.to_us = w.twin->now_us + US_PER_HOUR});
	struct twin_anomaly *o = burst();
	int64_t held;

	cr_assert_eq(o->alarm.state, ALARM_SUPPRESSED);
	cr_assert_str_eq(w.twin->system_state, "normal");
	cr_assert_eq(w.twin->nplans, 0, "nothing is proposed into the works");
	held = h->held;
	cr_assert_geq(held, 1);
	world_ticks(&w, 60);
	cr_assert(h->ended);
	cr_assert_eq(o->alarm.state, ALARM_UNACKNOWLEDGED);
	cr_assert_eq(w.twin->nplans, 1);
	check_walks();
}

Test(alarms, a_series_out_of_service)
{
	struct twin_hold *h = twin_hold(w.twin,
	    &(struct twin_hold){.out_of_service = true,
		.series = district_find("DEMO-WEST", "flow") + 1,
		.from_us = w.twin->now_us,
		.to_us = INSTANT_NONE});
	struct twin_anomaly *o = burst();

	cr_assert_eq(o->alarm.state, ALARM_OUT_OF_SERVICE);
	world_ticks(&w, 120);
	cr_assert_eq(o->alarm.state, ALARM_OUT_OF_SERVICE);
	cr_assert_eq(h->held, 1);
	check_walks();
}

/* Operators who acknowledge, shelve, comment and resolve by the dice. */
static void
act_at_random(uint64_t *dice)
{
	static const enum alarm_event acts[] = {ALARM_ACKNOWLEDGE,
	    ALARM_RESOLVE, ALARM_COMMENT, ALARM_ASSIGN, ALARM_SHELVE};
	enum alarm_event act;
	int64_t id;

	*dice = *dice * 6364136223846793005u + 1442695040888963407u;
	if (w.twin->nanomalies == 0)
		return;
	id = (int64_t)((*dice >> 33) % w.twin->nanomalies) + 1;
	act = acts[(*dice >> 20) % 5];
	if (act == ALARM_SHELVE)
		(void)twin_shelve(w.twin, id,
		    w.twin->now_us + (int64_t)(*dice >> 50) * US_PER_SECOND);
	else
		(void)twin_alarm(w.twin, id, act);
}

Test(alarms, days_of_faults_and_of_operators_by_the_dice)
{
	uint64_t seed, dice;
	int t;

	for (seed = 1; seed <= 5; seed++) {
		stop();
		start();
		dice = seed;
		for (t = 0; t < 2 * 1440; t++) {
			if (t % 400 == 0)
				district_inject(&w.district,
				    (enum district_fault)(
					t / 400 % DISTRICT_FAULT_COUNT),
				    t / 400 % 2 == 0);
			if (t % 701 == 0)
				(void)twin_hold(w.twin,
				    &(struct twin_hold){
					.out_of_service = t % 2 == 0,
					.node = 1 + t % DISTRICT_NODES,
					.from_us = w.twin->now_us,
					.to_us = w.twin->now_us + US_PER_HOUR});
			if (t % 3 == 0)
				act_at_random(&dice);
			world_ticks(&w, 1);
		}
		cr_assert_eq(
		    w.failed_cycles, 0, "seed %d: %s", (int)seed, w.failure);
		check_walks();
		cr_assert_geq(w.twin->nanomalies, 5, "seed %d", (int)seed);
	}
}

/* A cycle that fails half-way leaves no half of a walk. */
Test(alarms, faults_at_every_call)
{
	int64_t call;

	district_inject(&w.district, DISTRICT_BURST, true);
	for (call = 1; call < 60; call++) {
		w.twin->fault = call % 2 ? TWIN_FAULT_FAIL : TWIN_FAULT_LATE;
		w.twin->fail_at = w.twin->calls + call;
		world_ticks(&w, 1);
		w.twin->fault = TWIN_FAULT_NONE;
		world_ticks(&w, 1);
		check_walks();
	}
}
