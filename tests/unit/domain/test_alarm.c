/* The life of one alarm, on a clock that the test moves. */
#include "core/instant.h"
#include "domain/alarm.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define T0 INT64_C(1795176000000000)

static struct alarm a;
static int64_t t;

static void
fresh(void)
{
	t = T0;
	a = (struct alarm){
	    .id = 1,
	    .condition = {7, ANOMALY_THRESHOLD, DIRECTION_LOW, SEVERITY_WARNING,
		0},
	    .class = {.needs_ack = true,
		.escalate_us = 10 * US_PER_MINUTE,
		.climb_us = US_PER_HOUR,
		.fall_us = US_PER_DAY,
		.chatter_limit = 3,
		.chatter_window_us = 10 * US_PER_MINUTE,
		.chatter_hold_us = 5 * US_PER_MINUTE},
	    .priority = SEVERITY_WARNING,
	    .open = true,
	    .last_us = T0,
	    .state_us = INSTANT_NONE,
	    .priority_us = INSTANT_NONE,
	    .turned_us = INSTANT_NONE,
	    .shelved_until_us = INSTANT_NONE,
	};
}

TestSuite(alarm, .init = fresh);

/* All that time brings about now: the rows' ids, with a space behind each. */
static const char *
walk(void)
{
	static char ids[80];
	const struct fsm_row *row;
	size_t len = 0;
	int event;

	ids[0] = '\0';
	while ((event = alarm_next(&a, t)) >= 0) {
		row = fsm_find(&alarm_fsm, (int)a.state, event);
		cr_assert(row != NULL, "%s on %s", alarm_state_name(a.state),
		    alarm_fsm.events[event]);
		alarm_take(&a, row, t);
		len += (size_t)snprintf(
		    ids + len, sizeof(ids) - len, "%s ", row->id);
		cr_assert_lt(len, sizeof(ids), "it does not come to rest");
	}
	return (ids);
}

static void
person(int event)
{
	const struct fsm_row *row = fsm_find(&alarm_fsm, (int)a.state, event);

	cr_assert(row != NULL);
	alarm_take(&a, row, t);
}

static void
turn(bool open)
{
	a.open = open;
	a.turned_us = INSTANT_NONE;
}

Test(alarm, seen_and_over)
{
	cr_assert_str_eq(walk(), "L1 ");
	cr_assert_eq(a.due_us, T0 + 10 * US_PER_MINUTE);
	person(ALARM_ACKNOWLEDGE);
	cr_assert_str_eq(walk(), "");
	cr_assert_eq(a.due_us, T0 + US_PER_HOUR, "it may climb");
	turn(false);
	cr_assert_str_eq(walk(), "L5 ");
	cr_assert_eq(a.state, ALARM_NORMAL);
	cr_assert_eq(a.due_us, INSTANT_NONE);
}

Test(alarm, over_and_not_seen)
{
	(void)walk();
	turn(false);
	cr_assert_str_eq(walk(), "L3 ");
	person(ALARM_ACKNOWLEDGE);
	cr_assert_eq(a.state, ALARM_NORMAL);
}

Test(alarm, one_that_latches_waits_to_be_resolved)
{
	a.class.latching = true;
	(void)walk();
	person(ALARM_ACKNOWLEDGE);
	turn(false);
	cr_assert_str_eq(walk(), "L6 ");
	cr_assert_eq(a.state, ALARM_LATCHED);
	person(ALARM_RESOLVE);
	cr_assert_eq(a.state, ALARM_NORMAL);
}

Test(alarm, a_journal_entry_asks_for_nothing)
{
	a.class.needs_ack = false;
	(void)walk();
	turn(false);
	cr_assert_str_eq(walk(), "L4 ");
}

Test(alarm, the_next_one_takes_its_place)
{
	(void)walk();
	turn(false);
	(void)walk();
	a.successor = 2;
	cr_assert_str_eq(walk(), "L11 ");
}

Test(alarm, what_came_and_went_at_once)
{
	turn(false);
	cr_assert_str_eq(walk(), "L1 L3 ");
	fresh();
	turn(false);
	t = T0 + ALARM_HISTORY_US;
	cr_assert_str_eq(walk(), "", "it is history");
	fresh();
	turn(false);
	a.class.needs_ack = false;
	cr_assert_str_eq(walk(), "");
}

Test(alarm, escalates_three_times_until_somebody_looks)
{
	int i;

	a.class.climb_us = 0;
	(void)walk();
	for (i = 1; i <= ALARM_ESCALATIONS_MAX; i++) {
		t = T0 + 10 * i * US_PER_MINUTE - 1;
		cr_assert_str_eq(walk(), "");
		t++;
		cr_assert_str_eq(walk(), "L35 ");
		cr_assert_eq(a.escalations, i);
	}
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "");
	cr_assert_eq(a.due_us, INSTANT_NONE);
}

Test(alarm, priority_climbs_while_it_lasts_and_falls_after)
{
	a.condition.severity = SEVERITY_INFO;
	(void)walk();
	person(ALARM_ACKNOWLEDGE);
	cr_assert_eq(a.priority, SEVERITY_INFO);
	t += US_PER_HOUR;
	cr_assert_str_eq(walk(), "L37 ");
	cr_assert_eq(a.priority, SEVERITY_WARNING);
	t += US_PER_HOUR - 1;
	cr_assert_str_eq(walk(), "");
	t++;
	cr_assert_str_eq(walk(), "L37 ");
	cr_assert_eq(a.priority, SEVERITY_CRITICAL);
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "", "there is no higher");
	a.class.latching = true;
	turn(false);
	cr_assert_str_eq(walk(), "L6 ");
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "L39 ");
	cr_assert_eq(a.priority, SEVERITY_WARNING);
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "L39 ");
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "");
	cr_assert_eq(a.priority, SEVERITY_INFO);
}

static void
shelve(void)
{
	(void)walk();
	person(ALARM_SHELVE);
	a.shelved_until_us = t + US_PER_HOUR;
	cr_assert_str_eq(walk(), "");
	cr_assert_eq(a.due_us, T0 + US_PER_HOUR);
}

Test(alarm, a_shelf_is_over_and_the_condition_there)
{
	shelve();
	t += US_PER_HOUR - 1;
	cr_assert_str_eq(walk(), "");
	t++;
	cr_assert_str_eq(walk(), "L21 ");
	cr_assert_eq(a.state, ALARM_UNACKNOWLEDGED);
	cr_assert_eq(a.shelved_until_us, INSTANT_NONE);
}

Test(alarm, a_shelf_is_over_and_the_condition_gone)
{
	shelve();
	turn(false);
	cr_assert_str_eq(walk(), "");
	t += US_PER_HOUR;
	cr_assert_str_eq(walk(), "L20 ");
	fresh();
	a.class.latching = true;
	shelve();
	turn(false);
	t += US_PER_HOUR;
	cr_assert_str_eq(walk(), "L22 ");
}

Test(alarm, maintenance_keeps_it_quiet)
{
	a.maintenance = 3;
	cr_assert_str_eq(walk(), "L23 ");
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "", "it neither escalates nor climbs");
	a.maintenance = 0;
	cr_assert_str_eq(walk(), "L27 ");
	a.maintenance = 4;
	cr_assert_str_eq(walk(), "L24 ");
	turn(false);
	cr_assert_str_eq(walk(), "L26 ");
}

Test(alarm, what_nobody_saw_is_not_swept_away_by_maintenance)
{
	(void)walk();
	turn(false);
	a.maintenance = 3;
	cr_assert_str_eq(walk(), "L3 ");
}

Test(alarm, a_sensors_fault_keeps_what_is_built_on_it_quiet)
{
	a.sensor_fault = 9;
	cr_assert_str_eq(walk(), "L23 ");
	fresh();
	a.sensor_fault = 9;
	a.condition.type = ANOMALY_FLATLINE;
	cr_assert_str_eq(walk(), "L1 ", "but not the fault itself");
}

Test(alarm, out_of_service_goes_before_all)
{
	a.maintenance = 3;
	a.out_of_service = 4;
	cr_assert_str_eq(walk(), "L28 ");
	t += US_PER_DAY;
	cr_assert_str_eq(walk(), "");
	a.maintenance = a.out_of_service = 0;
	cr_assert_str_eq(walk(), "L34 ");
	person(ALARM_SHELVE);
	a.shelved_until_us = t + US_PER_HOUR;
	a.out_of_service = 5;
	cr_assert_str_eq(walk(), "L31 ");
	turn(false);
	cr_assert_str_eq(walk(), "L33 ");
}

Test(alarm, one_that_chatters_is_held)
{
	a.times_before = 2;
	(void)walk();
	cr_assert(alarm_chatters(&a));
	person(ALARM_ACKNOWLEDGE);
	turn(false);
	cr_assert_str_eq(walk(), "");
	t += US_PER_MINUTE;
	turn(true);
	cr_assert_str_eq(walk(), "", "nobody hears of it again");
	cr_assert_eq(a.times, 4);
	turn(false);
	cr_assert_str_eq(walk(), "");
	cr_assert_eq(a.due_us, t + 5 * US_PER_MINUTE);
	t += 5 * US_PER_MINUTE;
	cr_assert_str_eq(walk(), "L5 ");
}

/* Whatever is there, it comes to rest, by rows of the table. */
Test(alarm, every_state_with_every_fact_comes_to_rest)
{
	unsigned bits, state;

	for (state = 0; state < ALARM_STATE_COUNT; state++) {
		for (bits = 0; bits < 256; bits++) {
			fresh();
			a.state = (enum alarm_state)state;
			a.state_us = a.priority_us = T0;
			t = bits & 1 ? T0 : T0 + 30 * US_PER_DAY;
			a.open = bits & 2;
			a.maintenance = bits & 4 ? 1 : 0;
			a.out_of_service = bits & 8 ? 1 : 0;
			a.sensor_fault = bits & 16 ? 1 : 0;
			a.successor = bits & 32 ? 1 : 0;
			a.class.latching = bits & 64;
			a.class.needs_ack = bits & 128;
			(void)walk();
			(void)walk();
			cr_assert_eq(alarm_next(&a, t), -1);
			cr_assert(a.due_us == INSTANT_NONE || a.due_us > t);
		}
	}
}
