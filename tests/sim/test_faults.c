/*
 * One story, burst to verdict, with a fault at every single step: each call of
 * the database, alone or as the first of an outage, with and without a restart;
 * and each exchange with the gateway.
 */
#include "walks.h"
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <string.h>

#define CADENCE (10 * US_PER_SECOND)
#define T0	instant_from_civil(2026, 11, 16, 0)
#define OUTAGE	20 /* calls: some cycles */
#define PATIENT 80 /* cycles: until not-after is over */

static struct world w;
static struct walks walks;
static int64_t approved_at; /* the number of the last call before */

static void
start(void)
{
	world_init(&w, 5, T0, CADENCE);
	memset(&walks, 0, sizeof(walks));
}

static void
stop(void)
{
	world_done(&w);
}

TestSuite(faults, .init = start, .fini = stop);

static void
tick(void)
{
	char why[200] = "";

	(void)world_tick(&w);
	walks_check(&walks, w.twin, why);
	cr_assert_str_eq(why, "", "mode %d, fault at call %lld: %s",
	    (int)w.mode, (long long)w.twin->fail_at, why);
}

/* Burst, approval, verdict. */
static struct twin_plan *
story(void)
{
	struct twin_plan *p;
	int i;

	tick();
	tick();
	district_inject(&w.district, DISTRICT_BURST, true);
	for (i = 0; i < 15 + OUTAGE && w.twin->nplans == 0; i++)
		tick();
	cr_assert_eq(w.twin->nplans, 1);
	p = &w.twin->plans[0];
	for (i = 0; i < 4; i++)
		tick();
	approved_at = w.twin->calls;
	cr_assert(twin_approve(w.twin, p->plan.id));
	for (i = 0; i < PATIENT && p->plan.state <= PLAN_VERIFYING; i++)
		tick();
	return (p);
}

static struct twin_plan *
retell(enum gateway_mode mode, int64_t call, enum twin_fault fault)
{
	stop();
	start();
	w.mode = mode;
	w.twin->fault = fault;
	w.twin->fail_at = call;
	return (story());
}

/* Whatever it may have seen, it did one thing or nothing. */
static void
expect_an_end(const struct twin_plan *p, int64_t call)
{
	cr_assert_gt((int)p->plan.state, PLAN_VERIFYING,
	    "mode %d, fault at call %lld: still %s", (int)w.mode,
	    (long long)call, plan_state_name(p->plan.state));
	cr_assert(p->plan.state != PLAN_WORKED || w.acts[0] == 1);
	cr_assert_leq(w.acts[0], 1);
}

static void
expect_the_same_end(const struct twin_plan *p, int64_t call)
{
	expect_an_end(p, call);
	cr_assert_eq(p->plan.state, PLAN_WORKED, "fault at call %lld: %s",
	    (long long)call, plan_state_name(p->plan.state));
	cr_assert_eq(w.twin->nplans, 1);
	cr_assert_eq(w.executed, 1);
}

/* The story ends the same whichever call fails; a commit may also have
 * happened before its answer was lost. */
Test(faults, any_call_may_fail)
{
	int64_t calls, call, commits = 0;

	expect_the_same_end(retell(GATEWAY_DROPS, 0, TWIN_FAULT_NONE), 0);
	calls = w.twin->calls;
	for (call = 1; call <= calls; call++) {
		expect_the_same_end(
		    retell(GATEWAY_DROPS, call, TWIN_FAULT_FAIL), call);
		cr_assert_eq(w.failed_cycles, 1);
		if (strstr(w.failure, "commit") == NULL)
			continue;
		commits++;
		expect_the_same_end(
		    retell(GATEWAY_DROPS, call, TWIN_FAULT_LATE), call);
	}
	cr_assert_gt(commits, 40);
}

/* Whatever the gateway does, from the approval on. */
Test(faults, any_call_may_fail_with_any_gateway)
{
	enum gateway_mode mode;
	enum plan_state end;
	int64_t calls, call;

	for (mode = GATEWAY_WORKS; mode < GATEWAY_MODES; mode++) {
		end = retell(mode, 0, TWIN_FAULT_NONE)->plan.state;
		calls = approved_at + 200;
		for (call = approved_at + 1; call < calls; call++) {
			expect_an_end(
			    retell(mode, call, TWIN_FAULT_FAIL), call);
			cr_assert_eq(w.twin->plans[0].plan.state, end,
			    "mode %d, fault at call %lld", (int)mode,
			    (long long)call);
			expect_an_end(
			    retell(mode, call, TWIN_FAULT_LATE), call);
		}
	}
}

/* The database is away for some cycles, from any call on. */
Test(faults, an_outage_may_begin_at_any_call)
{
	int64_t calls, call;

	(void)retell(GATEWAY_DROPS, 0, TWIN_FAULT_NONE);
	calls = w.twin->calls;
	for (call = 1; call <= calls; call++) {
		stop();
		start();
		w.mode = GATEWAY_DROPS;
		w.twin->fault = TWIN_FAULT_FAIL;
		w.twin->fail_at = call;
		w.twin->fail_more = OUTAGE;
		expect_the_same_end(story(), call);
		cr_assert_geq(w.failed_cycles, 1);
	}
}

static int
says_no(const enum gateway_mode *script, size_t n)
{
	int no = 0;

	while (n-- > 0)
		no += script[n] == GATEWAY_SAYS_NO;
	return (no);
}

/* Its first exchanges go wrong in all ways, one after another; then it works
 * again. What it surely did is never done again, and what it did not is. */
Test(faults, any_exchange_may_go_wrong)
{
	enum gateway_mode script[3];
	const struct twin_plan *p;
	int i;

	for (i = 0; i < GATEWAY_MODES * GATEWAY_MODES * GATEWAY_MODES; i++) {
		script[0] = (enum gateway_mode)(i % GATEWAY_MODES);
		script[1] =
		    (enum gateway_mode)(i / GATEWAY_MODES % GATEWAY_MODES);
		script[2] =
		    (enum gateway_mode)(i / GATEWAY_MODES / GATEWAY_MODES);
		stop();
		start();
		w.script = script;
		w.nscript = 3;
		p = story();
		expect_an_end(p, 0);
		cr_assert(
		    p->plan.state == PLAN_WORKED || says_no(script, 3) > 0,
		    "script %d %d %d: %s", (int)script[0], (int)script[1],
		    (int)script[2], plan_state_name(p->plan.state));
	}
}

/* As the story, whatever the twin says of it. */
static void
tell_anyway(void)
{
	int i;

	world_ticks(&w, 2);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 10);
	if (w.twin->nplans > 0)
		(void)twin_approve(w.twin, 1);
	for (i = 0; i < 20; i++)
		(void)world_tick(&w);
}

/* It keeps nothing then, and says so from there on; a backtest is refused. */
Test(faults, the_twin_ends_without_memory_and_says_so)
{
	bool all_kept = false;
	int64_t call;

	for (call = 1; !all_kept; call++) {
		stop();
		start();
		w.twin->memory = call;
		tell_anyway();
		all_kept = w.twin->memory > 0;
		cr_assert_eq(all_kept, w.twin->broken == ERR_OK);
		cr_assert_str_eq(
		    w.twin->violation, "", "allocation %lld", (long long)call);
		cr_assert(all_kept || world_tick(&w) == ERR_NO_MEMORY);
	}
	cr_assert_gt(call, 100);
	cr_assert_eq(w.failed_cycles, 0);
}

Test(faults, the_twin_that_is_full_says_so)
{
	world_ticks(&w, 2);
	w.twin->nseries = TWIN_SERIES;
	(void)twin_find_series(w.twin, TWIN_SERIES + 7);
	cr_assert_eq(world_tick(&w), ERR_DATABASE);
	w.twin->nseries = DISTRICT_SERIES;
}

/* A backtest's series have the database's ids. */
Test(faults, the_twin_keeps_a_watch_of_any_series)
{
	struct watch_row row = {.series = 70000, .open = 1}, *back = NULL;
	const struct knowledge_port *k = &w.ports.knowledge;
	struct err_info info = {0};
	struct arena a;
	size_t n = 0;

	row.state = (const unsigned char *)"x";
	row.len = 1;
	arena_init(&a, (size_t)1 << 20);
	cr_assert_eq(w.ports.decisions.begin(w.twin, &info), ERR_OK);
	cr_assert_eq(k->watches_save(k->self, &row, 1, &info), ERR_OK, "%s",
	    info.detail);
	cr_assert_eq(
	    k->watches_load(k->self, &a, NULL, 0, &back, &n, &info), ERR_OK);
	cr_assert_eq(n, 1);
	cr_assert_eq(back->series, 70000);
	w.ports.decisions.rollback(w.twin);
	arena_done(&a);
}
