/* What a cycle keeps, forgets and finds again. */
#include "core/instant.h"
#include "domain/anomaly.h"
#include "mape/loop.h"
#include "store/twin.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define T0 (instant_from_civil(2026, 5, 1, 12 * US_PER_HOUR))

static struct twin *t;
static struct ports ports;
static struct loop_ctx ctx;
static struct loop_figures figures;
static struct err_info info;
static struct series series[2];

static void
start(void)
{
	t = twin_new(T0, 1);
	for (size_t i = 0; i < 3; i++)
		t->classes[i].chatter_limit = 0;
	twin_ports(t, &ports);
	loop_init(&ctx);
	series[0] = (struct series){
	    .id = 5,
	    .node = "N",
	    .node_type = "tank",
	    .zone = "",
	    .metric = "level",
	    .unit = "m",
	    .max_rate_per_min = NAN,
	    .cadence_us = US_PER_MINUTE,
	    .silence_us = 3 * US_PER_MINUTE,
	    .thresholds = {{1, DIRECTION_HIGH, SEVERITY_CRITICAL, 4, 4, 0, 0}},
	    .nthresholds = 1,
	};
	series[1] = series[0];
	series[1].id = 9;
	t->knowledge.series = series;
	t->knowledge.nseries = 1;
}

static void
stop(void)
{
	cr_expect_str_eq(t->violation, "");
	loop_done(&ctx);
	twin_free(t);
}

TestSuite(loop, .init = start, .fini = stop);

static enum err
cycle(void)
{
	err_clear(&info);
	return (loop_cycle(&ctx, &ports, &figures, &info));
}

static void
restart(void)
{
	loop_done(&ctx);
	loop_init(&ctx);
}

static void
hear(int32_t id, double value)
{
	struct reading r = {id, QUALITY_GOOD, value, t->now_us, t->now_us};

	twin_log(t, &r, 1);
}

static void
minutes(int n)
{
	t->now_us += n * US_PER_MINUTE;
}

/* A spike of one reading, and each call of its cycle fails in turn. */
Test(loop, a_finding_survives_its_failed_cycle)
{
	int64_t call;

	for (call = 1; call < 40; call++) {
		hear(5, 1);
		cr_assert_eq(cycle(), ERR_OK);
		minutes(1);
		hear(5, 9);
		hear(7, 9); /* unknown to knowledge: stored, not judged */
		t->fault = TWIN_FAULT_FAIL;
		t->fail_at = t->calls + call;
		if (cycle() == ERR_OK)
			break;
		minutes(1);
		hear(5, 1);
		cr_assert_eq(cycle(), ERR_OK);
		minutes(1);
		cr_assert_eq(t->nanomalies, (size_t)call, "call %lld, %s",
		    (long long)call, info.detail);
		cr_assert_eq(t->anomalies[call - 1].state, ANOMALY_CLEARED);
		if (call % 2 == 0)
			restart();
	}
	cr_assert_gt(call, 15);
	cr_assert_eq(twin_find_series(t, 7)->n, (size_t)call);
}

Test(loop, silence_survives_a_restart)
{
	hear(5, 1);
	cr_assert_eq(cycle(), ERR_OK);
	minutes(4);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.raised, 1);
	cr_assert_str_eq(t->system_state, "alert");
	restart();
	hear(5, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.cleared, 1);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
	cr_assert_str_eq(t->system_state, "normal");
}

/* Penstock was away, not the sensors. */
Test(loop, silence_is_not_said_by_who_did_not_listen)
{
	hear(5, 1);
	cr_assert_eq(cycle(), ERR_OK);
	restart();
	minutes(60);
	cr_assert_eq(cycle(), ERR_OK);
	minutes(2);
	t->fault = TWIN_FAULT_FAIL;
	t->fail_at = t->calls + 1;
	cr_assert_neq(cycle(), ERR_OK);
	minutes(1);
	cr_assert_eq(cycle(), ERR_OK);
	minutes(3);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(t->nanomalies, 0);
	minutes(1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(t->nanomalies, 1, "now it is known");
}

/* One reading from a clock that was ahead; the next ones are older. */
Test(loop, a_clock_that_was_ahead_hides_nobody)
{
	struct reading r = {
	    5, QUALITY_CLOCK_AHEAD, 1, T0 + 5 * US_PER_MINUTE - 1, T0};
	int i;

	series[0].silence_us = 90 * US_PER_SECOND;
	twin_log(t, &r, 1);
	cr_assert_eq(cycle(), ERR_OK);
	for (i = 0; i < 4; i++) {
		minutes(1);
		hear(5, 1);
		cr_assert_eq(cycle(), ERR_OK);
		cr_assert_eq(t->nanomalies, 0, "minute %d", i);
	}
	t->now_us += 91 * US_PER_SECOND;
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(t->nanomalies, 1);
	hear(5, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(t->anomalies[0].state, ANOMALY_CLEARED);
}

Test(loop, new_knowledge_is_learnt)
{
	hear(9, 9);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.merged, 1);
	cr_assert_eq(figures.raised, 0, "not known yet");
	t->knowledge.nseries = 2;
	t->knowledge.version++;
	minutes(1);
	hear(9, 9);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.raised, 1);
	cr_assert_eq(t->anomalies[0].anomaly.knowledge_version, 2);
	t->knowledge.nseries = 1;
	t->knowledge.version++;
	minutes(1);
	hear(9, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.merged, 1, "retired series are stored still");
}

Test(loop, figures_tell_what_happened)
{
	hear(5, 1);
	hear(5, 2);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.merged, 1);
	cr_assert_eq(figures.duplicates, 1);
	hear(5, 3);
	t->now_us -= US_PER_MINUTE;
	hear(5, 3);
	cr_assert_eq(cycle(), ERR_OK);
	cr_assert_eq(figures.duplicates, 1);
	cr_assert_eq(figures.late, 1);
	cr_assert_eq(figures.merged, 1);
	cr_assert_not(figures.more);
	cr_assert_gt(figures.memory, 0);
	cr_assert_eq(t->reports, 2);
	cr_assert_eq(twin_find_series(t, 5)->latest.value, 1);
}

Test(loop, no_two_open_anomalies_per_condition)
{
	size_t i, j;
	int n;

	for (n = 0; n < 200; n++) {
		minutes(1);
		hear(5, n % 7 < 4 ? 9 : 1);
		if (n % 13 == 0)
			restart();
		cr_assert_eq(cycle(), ERR_OK);
		for (i = 0; i < t->nanomalies; i++) {
			for (j = 0; j < i; j++)
				cr_assert_not(
				    t->anomalies[i].state == ANOMALY_OPEN &&
				    t->anomalies[j].state == ANOMALY_OPEN);
		}
	}
	cr_assert_eq(t->nanomalies, 29);
}

static struct reading others[2];
static size_t nothers;

static enum err
moved(void *self, struct arena *a, int64_t *mark, struct reading **ret,
    size_t *ret_n, struct err_info *i)
{
	(void)self;
	(void)a;
	(void)i;
	*ret = others;
	*ret_n = *mark < 7 ? nothers : 0;
	*mark = 7;
	return (ERR_OK);
}

/* An import stores what the loop never saw: a sender that repeats it later
 * must not have it stored twice, however new it is to the loop. */
Test(loop, looks_up_what_others_may_have_stored)
{
	struct twin_series *s;
	struct reading import = {
	    5, QUALITY_GOOD, 2, T0 + 10 * US_PER_MINUTE, T0};

	hear(5, 1);
	cr_assert_eq(cycle(), ERR_OK);
	t->now_us = T0 + 12 * US_PER_MINUTE;
	s = twin_find_series(t, 5);
	s->readings[s->n++] = import;
	s->newest_us = import.t_us;
	others[0] = import;
	nothers = 1;
	ports.telemetry.moved = moved;
	cr_assert_eq(cycle(), ERR_OK);
	twin_log(t, &import, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(figures.duplicates, 1);
	cr_expect_eq(figures.merged, 0);
	cr_expect_eq(s->n, 2);
	/* After a loss of all that is kept, too. */
	restart();
	twin_log(t, &import, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(figures.duplicates, 1);
	hear(5, 3);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(figures.merged, 1);
}

static bool
owns_five(void *self, int32_t id)
{
	(void)self;
	return (id == 5);
}

Test(loop, watches_its_own_series_only)
{
	series[1].id = 8;
	t->knowledge.nseries = 2;
	ports.telemetry.owns = owns_five;
	ctx.watch_only = true;
	hear(5, 5);
	hear(8, 1);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(figures.raised, 1, "a threshold");
	minutes(4);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(figures.raised, 1, "silence of the one, not of the other");
	cr_expect_eq(t->reports, 0, "who only watches reports nothing");
	cr_expect_eq(figures.proposed, 0);
	ctx.watch_only = false;
	ports.telemetry.owns = NULL;
	loop_forget(&ctx);
	cr_assert_eq(cycle(), ERR_OK);
	cr_expect_eq(t->reports, 1);
}
