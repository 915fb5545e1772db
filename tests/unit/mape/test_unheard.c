/* Series that nobody said a silence for, and that are not heard any more. */
#include "usual.h"

#include "mape/agenda.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(unheard, .init = start, .fini = stop);

#define KNOWN (15 * DAY)
#define HOUR  4 /* steps */

/* So many steps in which only some are heard. */
static void
quiet(int n, bool first, bool second)
{
	while (n-- > 0) {
		t->now_us += STEP;
		if (first)
			hear(5, usual(t->now_us));
		if (second)
			hear(6, usual(t->now_us));
		hear(7, usual(t->now_us));
		cr_assert_eq(cycle(), ERR_OK, "%s", info.detail);
	}
}

static const struct twin_anomaly *
silence_of(int32_t id)
{
	const struct twin_anomaly *a = NULL;
	size_t i;

	for (i = 0; i < t->nanomalies; i++)
		if (t->anomalies[i].anomaly.condition.series == id &&
		    strcmp(t->anomalies[i].anomaly.rule_id,
			"unusual:silence") == 0)
			a = &t->anomalies[i];
	return (a);
}

Test(unheard, is_told_after_longer_than_ever_and_ends_when_heard)
{
	const struct twin_anomaly *a;
	int64_t last;

	steps(KNOWN, 0);
	last = t->now_us;
	/* Three times a quarter is less than the least hour. */
	quiet(HOUR, true, false);
	cr_assert_eq(t->nanomalies, 0);
	quiet(1, true, false);
	a = found();
	cr_assert_eq(a, silence_of(6));
	cr_assert_eq(a->anomaly.condition.type, ANOMALY_UNUSUAL);
	cr_assert_eq(a->anomaly.condition.direction, DIRECTION_NONE);
	cr_assert_eq(a->anomaly.condition.severity, SEVERITY_INFO);
	cr_assert_eq(a->anomaly.first_us, last);
	cr_assert(strstr(a->anomaly.evidence, "\"silence_s\":3600"));
	cr_assert(strstr(a->anomaly.evidence, "\"longest_s\":900"));
	cr_assert(strstr(a->anomaly.evidence, "\"cadence_s\":900"));
	cr_assert(strstr(a->anomaly.evidence, "\"unheard_for_s\":4500"));
	cr_assert(strstr(a->anomaly.evidence, "\"score\":0.5"));
	cr_assert(strstr(a->anomaly.evidence, "\"looks_like\":\"sensor fault"));
	cr_assert(strstr(a->anomaly.evidence, "\"contributions\":[{\"node\""));
	cr_assert_null(strstr(a->anomaly.evidence, "\"expected\":"));
	quiet(2 * DAY, true, false);
	cr_assert_eq(a->state, ANOMALY_OPEN);
	cr_assert_eq(figures.raised, 0);
	steps(1, 0);
	cr_assert_eq(a->state, ANOMALY_CLEARED);
	cr_assert_eq(a->cleared_us, t->now_us);
	cr_assert_not(unusual_find(&ctx.unusual, 6)->open.is);
	steps(DAY, 0);
	cr_assert_eq(t->nanomalies, 1);
}

/* Once is an outage; the third within a fortnight is its way, and teaches what
 * it was told at and no more. */
Test(unheard, an_outage_teaches_nothing_until_it_is_usual)
{
	int i;

	steps(KNOWN, 0);
	for (i = 0; i < 3; i++) {
		cr_assert_eq(memory_find(&ctx.memory, 6)->longest_us, STEP);
		quiet(2 * DAY, true, false);
		cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
		steps(DAY, 0);
		loop_done(&ctx);
		begin();
		steps(1, 0);
	}
	cr_assert_eq(memory_find(&ctx.memory, 6)->longest_us, US_PER_HOUR);
	quiet(3 * HOUR, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_CLEARED);
	quiet(1, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
}

/* It uploads once a day now: a handful of alarms, and it is known. */
Test(unheard, other_ways_are_learnt)
{
	size_t before;
	int day;

	steps(KNOWN, 0);
	for (day = 0; day < 10; day++) {
		quiet(DAY - 1, true, false);
		steps(1, 0);
	}
	cr_assert_leq(t->nanomalies, 6, "%zu", t->nanomalies);
	before = t->nanomalies;
	for (day = 0; day < 30; day++) {
		quiet(DAY - 1, true, false);
		steps(1, 0);
	}
	cr_assert_eq(t->nanomalies, before);
}

/* Not only a day after it was told the first time. */
Test(unheard, a_sensor_that_dies_again_is_told_as_soon)
{
	steps(KNOWN, 0);
	quiet(HOUR + 1, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
	steps(1, 0);
	cr_assert_eq(silence_of(6)->state, ANOMALY_CLEARED);
	quiet(2 * HOUR + 1, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
}

/* What was to be looked at by the clock that ran ahead is so by this one. */
Test(unheard, a_clock_put_back_delays_nothing)
{
	steps(KNOWN, 0);
	t->now_us += 10 * US_PER_DAY;
	quiet(1, false, false);
	t->now_us -= 10 * US_PER_DAY;
	quiet(1, true, true);
	quiet(HOUR + 1, true, false);
	cr_assert_eq(found(), silence_of(6));
}

/* It rests at night, and in each of them the service is begun anew: what it
 * does each night is no news for ever. */
Test(unheard, who_rests_as_the_service_restarts_is_learnt)
{
	size_t before = 0;
	int day, i;

	for (day = 0; day < 50; day++) {
		for (i = 0; i < DAY; i++) {
			if (i == 0) {
				loop_done(&ctx);
				begin();
			}
			quiet(1, true, i >= 6 * HOUR && i < 22 * HOUR);
		}
		if (day == 40)
			before = t->nanomalies;
	}
	cr_assert_leq(before, 6, "%zu", before);
	cr_assert_eq(t->nanomalies, before, "%zu", t->nanomalies);
}

Test(unheard, a_young_series_is_let_alone)
{
	steps(13 * DAY, 0);
	quiet(7 * DAY, true, false);
	cr_assert_eq(t->nanomalies, 0);
}

/* History that came at once was not waited for. */
Test(unheard, who_only_sent_history_is_let_alone)
{
	struct reading r[20 * DAY];
	size_t i;

	for (i = 0; i < 20 * DAY; i++)
		r[i] = (struct reading){6, QUALITY_GOOD, usual(T0),
		    t->now_us - (int64_t)(20 * DAY - i) * STEP, t->now_us};
	twin_log(t, r, 20 * DAY);
	quiet(20 * DAY, true, false);
	cr_assert(unusual_knows(unusual_find(&ctx.unusual, 6)));
	cr_assert_null(silence_of(6));
}

/* A day without a word is what it always does; three days are not. */
Test(unheard, a_logger_is_waited_for_as_long_as_it_takes)
{
	struct reading r[DAY];
	int64_t day, i;

	for (day = 0; day < 21; day++) {
		for (i = 0; i < DAY; i++) {
			quiet(1, true, false);
			r[i] = (struct reading){
			    6, QUALITY_GOOD, usual(t->now_us), t->now_us, 0};
		}
		for (i = 0; i < DAY; i++)
			r[i].received_us = t->now_us;
		twin_log(t, r, DAY);
	}
	quiet(3 * DAY, true, false);
	cr_assert_null(silence_of(6));
	quiet(2, true, false);
	cr_assert_not_null(silence_of(6));
	cr_assert(
	    strstr(silence_of(6)->anomaly.evidence, "\"longest_s\":86400"));
	cr_assert(strstr(silence_of(6)->anomaly.evidence, "\"cadence_s\":900"));
}

Test(unheard, is_for_the_rule_of_silence_where_people_say_it)
{
	series[1].silence_us = 7 * US_PER_DAY;
	steps(KNOWN, 0);
	quiet(DAY, true, false);
	cr_assert_eq(t->nanomalies, 0);
	series[1].silence_us = 0;
	t->knowledge.version++;
	quiet(1, true, false);
	cr_assert_eq(found(), silence_of(6));
}

Test(unheard, is_not_told_where_it_is_not_looked_for)
{
	series[1].unwatched = true;
	series[0].kind = SERIES_TOTAL;
	steps(KNOWN, 0);
	quiet(2 * DAY, false, false);
	cr_assert_eq(t->nanomalies, 0);
	loop_done(&ctx);
	loop_init(&ctx);
	series[1].unwatched = false;
	quiet(2 * DAY, false, false);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(ctx.unusual.unheard.n, 0);
}

Test(unheard, is_cleared_when_it_is_not_looked_for_any_more)
{
	steps(KNOWN, 0);
	quiet(DAY, true, false);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
	series[1].unwatched = true;
	t->knowledge.version++;
	quiet(1, true, false);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
}

/* Each has less of the alarms: it has to be rarer. */
Test(unheard, fewer_alarms_a_week_wait_longer)
{
	ctx.unusual.a_week = 0.01;
	steps(KNOWN, 0);
	quiet(4 * HOUR, true, false);
	cr_assert_eq(t->nanomalies, 0);
	quiet(DAY, true, false);
	cr_assert_eq(found(), silence_of(6));
	cr_assert_gt(found()->anomaly.last_us - found()->anomaly.first_us,
	    4 * US_PER_HOUR);
}

static void
open_threshold(void)
{
	series[1].thresholds[0] = (struct threshold){
	    1, DIRECTION_HIGH, SEVERITY_WARNING, 90, 85, 0, 0};
	series[1].nthresholds = 1;
}

Test(unheard, what_else_is_open_tells_of_it)
{
	open_threshold();
	steps(KNOWN, 0);
	steps(1, 100);
	cr_assert_eq(found()->anomaly.condition.type, ANOMALY_THRESHOLD);
	quiet(DAY, true, false);
	cr_assert_eq(t->nanomalies, 1);
}

/* A sensor that fails tells nonsense first; that ends as it is silent. */
Test(unheard, who_was_odd_and_dies_is_told)
{
	steps(KNOWN, 0);
	steps(1, 5000);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
	quiet(DAY, true, false);
	cr_assert_eq(t->nanomalies, 2);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
	loop_done(&ctx);
	begin();
	steps(1, 0);
	cr_assert_eq(silence_of(6)->state, ANOMALY_CLEARED);
	steps(DAY, 0);
	cr_assert_eq(t->nanomalies, 2);
}

Test(unheard, a_leak_tells_of_its_own_series)
{
	struct anomaly a = {
	    .condition = {6, ANOMALY_LEAK, DIRECTION_HIGH, SEVERITY_WARNING, 0},
	    .rule_id = "leak:step",
	    .evidence = "{}"};
	int64_t ret;
	bool new;

	steps(KNOWN, 0);
	a.first_us = t->now_us;
	cr_assert_eq(ports.decisions.begin(t, &info), ERR_OK);
	cr_assert_eq(
	    ports.decisions.anomaly_raise(t, &a, &ret, &new, &info), ERR_OK);
	cr_assert_eq(ports.decisions.commit(t, &info), ERR_OK);
	quiet(DAY, true, false);
	cr_assert_null(silence_of(6));
	cr_assert_not(unusual_find(&ctx.unusual, 6)->open.is);
}

Test(unheard, a_killed_loop_goes_on)
{
	int i;

	steps(KNOWN, 0);
	quiet(HOUR / 2, true, false);
	loop_done(&ctx);
	begin();
	quiet(HOUR, true, false);
	cr_assert_eq(t->nanomalies, 0, "it has to listen for an hour");
	quiet(2, true, false);
	cr_assert_eq(found(), silence_of(6));
	for (i = 0; i < 10; i++) {
		loop_done(&ctx);
		begin();
		quiet(HOUR + 2, true, false);
		cr_assert_eq(found()->state, ANOMALY_OPEN);
	}
	loop_done(&ctx);
	begin();
	steps(1, 0);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
	steps(DAY, 0);
	cr_assert_eq(t->nanomalies, 1);
}

/* Whatever of a cycle fails, it is told once and ends once. */
Test(unheard, a_failed_cycle_tells_nothing_twice)
{
	int64_t call;
	bool failed = true;

	steps(KNOWN, 0);
	quiet(HOUR, true, false);
	for (call = 1; failed && call < 60; call++) {
		t->now_us += STEP;
		t->fault = TWIN_FAULT_FAIL;
		t->fail_at = t->calls + call;
		failed = cycle() != ERR_OK;
		t->fault = TWIN_FAULT_NONE;
		quiet(2 * HOUR, true, false);
		cr_assert_eq(
		    found(), silence_of(6), "call %lld", (long long)call);
		cr_assert_eq(found()->state, ANOMALY_OPEN);
	}
	cr_assert_gt(call, 5);
	cr_assert_not(failed);
}

/* The service was down for a day: who comes back within the hour, and who
 * then sends what was read meanwhile, is not told of. */
Test(unheard, who_was_away_himself_waits_for_the_senders)
{
	steps(KNOWN, 0);
	loop_done(&ctx);
	t->now_us += US_PER_DAY;
	begin();
	quiet(HOUR, false, false);
	cr_assert_eq(t->nanomalies, 0);
	hear(5, usual(t->now_us));
	twin_log(t,
	    &(struct reading){
		6, QUALITY_GOOD, 50, t->now_us - STEP / 2, t->now_us},
	    1);
	quiet(2, false, false);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(
	    memory_find(&ctx.memory, 6)->longest_us, STEP, "nobody waited");
}

Test(unheard, a_clock_that_is_set_tells_nothing)
{
	int i;

	steps(KNOWN, 0);
	t->now_us += US_PER_DAY;
	for (i = 0; i < HOUR / 2; i++)
		quiet(1, false, false);
	cr_assert_eq(t->nanomalies, 0);
	steps(2, 0);
	t->now_us -= 2 * US_PER_DAY;
	quiet(HOUR, false, false);
	cr_assert_eq(t->nanomalies, 0);
	t->now_us += 2 * US_PER_DAY;
	steps(DAY, 0);
	cr_assert_null(silence_of(5));
	cr_assert_null(silence_of(6));
	cr_assert_eq(memory_find(&ctx.memory, 6)->longest_us, STEP);
}

/* A loop that is behind does not know what the log still holds. */
Test(unheard, who_is_behind_tells_nothing)
{
	int i;

	steps(KNOWN, 0);
	ctx.take_max = 1;
	for (i = 0; i < 3 * DAY; i++) {
		t->now_us += STEP;
		hear(5, usual(t->now_us));
		hear(7, usual(t->now_us));
		cr_assert_eq(cycle(), ERR_OK);
		cr_assert(figures.more);
		ctx.take_max = 1;
	}
	cr_assert_null(silence_of(6));
}

/* A suspect reading, and one that was kept for a while, are heard too. */
Test(unheard, any_reading_of_late_ends_it)
{
	steps(KNOWN, 0);
	quiet(DAY, true, false);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
	twin_log(t,
	    &(struct reading){
		6, QUALITY_CLOCK_AHEAD, 50, t->now_us + STEP, t->now_us + STEP},
	    1);
	quiet(1, true, false);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
	quiet(DAY, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN);
	/* Older than the newest, and younger than the limit. */
	twin_log(t,
	    &(struct reading){
		6, QUALITY_GOOD, 50, t->now_us - DAY * STEP, t->now_us},
	    1);
	quiet(1, true, false);
	cr_assert_eq(silence_of(6)->state, ANOMALY_OPEN, "that is too old");
}

#define MANY 1000

/* A gateway is down: no cycle tells of more than its share, and all are. */
Test(unheard, many_at_once_are_told_bit_by_bit)
{
	static struct series many[MANY];
	size_t most = 0, was = 0;
	int32_t i;
	int n;

	ctx.unusual.a_week = MANY;
	for (i = 0; i < MANY; i++) {
		many[i] = series[0];
		many[i].id = i + 1;
	}
	t->knowledge.series = many;
	t->knowledge.nseries = MANY;
	for (n = 0; n < 15 * 24; n++) {
		t->now_us += 4 * STEP / 2;
		cr_assert_eq(cycle(), ERR_OK);
		t->now_us += 4 * STEP / 2;
		for (i = 0; i < MANY; i++)
			hear(i + 1, 50 + random_part());
		cr_assert_eq(cycle(), ERR_OK, "%s", info.detail);
	}
	was = t->nanomalies;
	for (n = 0; n < 10; n++) {
		t->now_us += 2 * STEP;
		cr_assert_eq(cycle(), ERR_OK);
		if ((size_t)figures.raised > most)
			most = (size_t)figures.raised;
	}
	cr_assert_lt(most, MANY);
	cr_assert_geq(t->nanomalies - was, MANY * 9 / 10);
	cr_assert_eq(figures.raised, 0, "once");
}

Test(agenda, gives_what_is_due_in_order)
{
	struct agenda a = {0};
	int64_t at[500];
	int32_t id;
	size_t i, n = 0;
	int64_t last = 0;

	cr_assert(agenda_clear(&a, 500));
	for (i = 0; i < 500; i++) {
		at[i] = (int64_t)(i * 7919 % 500);
		agenda_put(&a, (int32_t)i, at[i]);
	}
	cr_assert_not(agenda_take(&a, -1, &id));
	for (; agenda_take(&a, 249, &id); n++) {
		cr_assert_geq(at[id], last);
		last = at[id];
	}
	cr_assert_eq(n, 250);
	cr_assert(agenda_take(&a, 499, &id));
	cr_assert_eq(at[id], 250);
	agenda_put(&a, id, 1000);
	while (agenda_take(&a, 1000, &id))
		n++;
	cr_assert_eq(n, 500);
	cr_assert_eq(a.n, 0);
	agenda_done(&a);
}
