/* How series usually go: kept, found again, and what is told of it. */
#include "usual.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(unusual, .init = start, .fini = stop);

Test(unusual, is_told_with_what_was_expected_and_ends_when_calm)
{
	const struct twin_anomaly *a;

	steps(16 * DAY, 0);
	cr_assert_eq(t->nanomalies, 0);
	steps(8, 60);
	a = found();
	cr_assert_eq(a->anomaly.condition.type, ANOMALY_UNUSUAL);
	cr_assert_eq(a->anomaly.condition.series, 6);
	cr_assert_eq(a->anomaly.condition.direction, DIRECTION_HIGH);
	cr_assert_leq(a->anomaly.condition.severity, SEVERITY_WARNING);
	cr_assert_eq(strncmp(a->anomaly.rule_id, "unusual:", 8), 0);
	cr_assert_gt(a->anomaly.first_us, t->now_us - 10 * STEP);
	cr_assert(strstr(a->anomaly.evidence, "\"expected\":"));
	cr_assert(strstr(a->anomaly.evidence, "\"band\":"));
	cr_assert(strstr(a->anomaly.evidence, "\"score\":"));
	cr_assert(strstr(a->anomaly.evidence, "\"since\":"));
	cr_assert(strstr(a->anomaly.evidence,
	    "\"contributions\":[{\"node\":\"N\",\"metric\":\"flow\""));
	cr_assert_eq(a->state, ANOMALY_OPEN);
	steps(UNUSUAL_CALM - 1, 0);
	cr_assert_eq(a->state, ANOMALY_OPEN);
	steps(DAY, 0);
	cr_assert_eq(a->state, ANOMALY_CLEARED);
	cr_assert_eq(t->nanomalies, 1);
}

Test(unusual, a_young_series_is_learnt)
{
	steps(13 * DAY, 0);
	steps(8, 60);
	cr_assert_eq(t->nanomalies, 0);
}

Test(unusual, what_a_rule_of_peoples_tells_is_its_evidence)
{
	series[1].thresholds[0] = (struct threshold){
	    1, DIRECTION_HIGH, SEVERITY_CRITICAL, 90, 85, 0, 0};
	series[1].nthresholds = 1;
	steps(16 * DAY, 0);
	steps(1, 80);
	cr_assert_eq(found()->anomaly.condition.type, ANOMALY_THRESHOLD);
	cr_assert(strstr(found()->anomaly.evidence, "\"unusual\":{\"rule\":"));
	cr_assert(strstr(found()->anomaly.evidence, "\"expected\":"));
	cr_assert(strstr(found()->anomaly.evidence,
	    "\"contributions\":[{\"node\":\"N\",\"metric\":\"flow\""));
}

/* Of a young series nobody knows what to expect. */
Test(unusual, a_limit_says_what_was_expected_once_that_is_known)
{
	series[1].thresholds[0] = (struct threshold){
	    1, DIRECTION_HIGH, SEVERITY_WARNING, 71, 60, 0, 0};
	series[1].nthresholds = 1;
	steps(2 * DAY, 0);
	cr_assert_gt(t->nanomalies, 0);
	cr_assert_null(strstr(t->anomalies[0].anomaly.evidence, "expected"));
	cr_assert(strstr(t->anomalies[0].anomaly.evidence, "contributions"));
	steps(14 * DAY, 0);
	cr_assert(strstr(
	    t->anomalies[t->nanomalies - 1].anomaly.evidence, "\"expected\":"));
	cr_assert_null(strstr(
	    t->anomalies[t->nanomalies - 1].anomaly.evidence, "\"unusual\":"));
}

/* A reading that is suspect teaches nothing, and tells nothing. */
Test(unusual, suspect_and_late_readings_are_passed_over)
{
	struct unusual_state before;
	struct reading r = {6, QUALITY_CLOCK_AHEAD, 500, 0, 0};

	steps(16 * DAY, 0);
	before = unusual_find(&ctx.unusual, 6)->state;
	r.t_us = r.received_us = t->now_us + STEP;
	twin_log(t, &r, 1);
	r = (struct reading){
	    6, QUALITY_GOOD, 500, t->now_us - STEP / 2, t->now_us};
	twin_log(t, &r, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.merged, 2);
	cr_assert_eq(t->nanomalies, 0);
	cr_assert_eq(memcmp(&before, &unusual_find(&ctx.unusual, 6)->state,
			 sizeof(before)),
	    0);
}

Test(unusual, statuses_and_totals_are_not_judged)
{
	series[0].kind = SERIES_STATUS;
	series[2].kind = SERIES_TOTAL;
	steps(2, 0);
	cr_assert_null(unusual_find(&ctx.unusual, 5));
	cr_assert_not_null(unusual_find(&ctx.unusual, 6));
	cr_assert_null(unusual_find(&ctx.unusual, 7));
	cr_assert_eq(ctx.unusual.share, 1);
}

/* What the same days leave, told by what is open and by the states' bytes. */
struct outcome {
	struct unusual_state states[SERIES];
	size_t nanomalies;
	struct anomaly first;
	char rule[40];
};

static void
play(struct outcome *ret, int crash_every)
{
	int i;

	for (i = 1; i <= 16 * DAY + 48; i++) {
		if (crash_every > 0 && i % crash_every == 0) {
			loop_done(&ctx);
			begin();
		}
		step(i > 16 * DAY && i < 16 * DAY + 6 ? 60 : 0);
	}
	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < SERIES; i++)
		memcpy(&ret->states[i],
		    &unusual_find(&ctx.unusual, 5 + i)->state,
		    sizeof(ret->states[i]));
	ret->nanomalies = t->nanomalies;
	ret->first = found()->anomaly;
	(void)snprintf(ret->rule, sizeof(ret->rule), "%s", ret->first.rule_id);
}

Test(unusual, a_crash_at_any_time_makes_no_difference)
{
	static const int often[] = {1, 7, 31, 32, 33, 100};
	struct outcome calm, crashed;
	size_t i;

	play(&calm, 0);
	for (i = 0; i < sizeof(often) / sizeof(often[0]); i++) {
		stop();
		start();
		play(&crashed, often[i]);
		cr_assert_eq(
		    memcmp(calm.states, crashed.states, sizeof(calm.states)), 0,
		    "every %d steps", often[i]);
		cr_assert_eq(calm.nanomalies, crashed.nanomalies);
		cr_assert_eq(calm.first.first_us, crashed.first.first_us);
		cr_assert_eq(calm.first.last_us, crashed.first.last_us);
		cr_assert_str_eq(calm.rule, crashed.rule);
		cr_assert_eq(calm.first.value, crashed.first.value);
	}
}

/* The same readings in one bite make the same states. */
Test(unusual, batches_make_no_difference)
{
	struct unusual_state one;
	int i, pass;

	for (pass = 0; pass < 2; pass++) {
		stop();
		start();
		for (i = 0; i < 100; i++) {
			t->now_us += STEP;
			hear(5, usual(t->now_us));
			if (pass == 0)
				cr_assert_eq(cycle(), ERR_OK);
		}
		cr_assert_eq(cycle(), ERR_OK);
		loop_done(&ctx);
		begin();
		t->now_us += STEP;
		hear(5, 1);
		cr_assert_eq(cycle(), ERR_OK);
		if (pass == 0)
			one = unusual_find(&ctx.unusual, 5)->state;
	}
	cr_assert_eq(
	    memcmp(&one, &unusual_find(&ctx.unusual, 5)->state, sizeof(one)),
	    0);
}

/* Whichever call of a cycle fails: each reading is taken in once. */
Test(unusual, a_failed_cycle_leaves_nothing)
{
	int64_t call, seen = 0;

	for (call = 1; call < 90; call++) {
		t->now_us += STEP;
		hear(5, usual(t->now_us));
		t->fault = TWIN_FAULT_FAIL;
		t->fail_at = t->calls + call;
		if (cycle() == ERR_OK)
			break;
		t->fault = TWIN_FAULT_NONE;
		t->now_us += STEP;
		hear(5, usual(t->now_us));
		cr_assert_eq(cycle(), ERR_OK);
		seen += 2;
		cr_assert_eq(unusual_find(&ctx.unusual, 5)->state.seen, seen,
		    "call %lld", (long long)call);
	}
	cr_assert_gt(call, 15);
	cr_assert_lt(call, 90);
}

Test(unusual, bytes_of_another_version_begin_anew)
{
	steps(100, 0);
	twin_find_watch(t, 6)->row.version++;
	loop_done(&ctx);
	begin();
	steps(1, 0);
	cr_assert_eq(figures.begun_anew, 1);
	cr_assert_eq(unusual_find(&ctx.unusual, 5)->state.seen, 101);
	cr_assert_eq(unusual_find(&ctx.unusual, 6)->state.seen, 1);
	loop_done(&ctx);
	begin();
	steps(1, 0);
	cr_assert_eq(figures.begun_anew, 0);
	cr_assert_eq(unusual_find(&ctx.unusual, 6)->state.seen, 2);
}

Test(unusual, turned_off_it_leaves_nothing_open)
{
	steps(16 * DAY, 0);
	steps(4, 60);
	cr_assert_eq(found()->state, ANOMALY_OPEN);
	loop_done(&ctx);
	loop_init(&ctx);
	steps(2, 60);
	cr_assert_eq(found()->state, ANOMALY_CLEARED);
	cr_assert_eq(figures.cleared, 0, "once");
	cr_assert_null(unusual_find(&ctx.unusual, 5));
	loop_done(&ctx);
	begin();
	steps(1, 0);
	cr_assert_eq(unusual_find(&ctx.unusual, 6)->state.seen, 1);
	cr_assert_eq(t->nanomalies, 1);
}

/* Nothing but noise, then three of the same for ever. */
static void
freeze(int n)
{
	int32_t id;

	t->now_us += STEP;
	for (id = 5; id < 5 + SERIES; id++)
		hear(id, n > 0 ? 50 : 50 + 4 * random_part());
	cr_assert_eq(cycle(), ERR_OK);
}

Test(unusual, a_freeze_is_told_unless_a_rule_looks_for_it)
{
	const struct twin_anomaly *a = NULL;
	size_t k, n = 0;
	int i;

	series[0].flatline_us = series[2].flatline_us = 7 * US_PER_DAY;
	for (i = -16 * DAY; i <= 40; i++)
		freeze(i);
	/* Noise may by chance have been told of before. */
	for (k = 0; k < t->nanomalies; k++)
		if (strcmp(t->anomalies[k].anomaly.rule_id, "unusual:freeze") ==
		    0) {
			a = &t->anomalies[k];
			n++;
		}
	cr_assert_eq(n, 1, "%zu", n);
	cr_assert_eq(a->anomaly.condition.series, 6);
	cr_assert_eq(a->anomaly.first_us, t->now_us - 39 * STEP);
	cr_assert_eq(a->state, ANOMALY_OPEN);
}
