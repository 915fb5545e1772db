/*
 * A simulated year of the district: bursts, sensors and gateways that fail, a
 * database that fails, restarts, emergencies, and two operators with different
 * habits, who also send again what failed and take back what was done.
 * After each cycle all that must always hold is looked at.
 *
 * PENSTOCK_SIM_SEED in the environment replays a year.
 */
#include "walks.h"
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CADENCE	 (5 * US_PER_MINUTE)
#define STEP	 (15 * US_PER_SECOND) /* while a plan is carried out */
#define ANSWERED (4 * CADENCE)
#define T0	 instant_from_civil(2026, 1, 1, 0)
#define END	 instant_from_civil(2027, 1, 1, 0)
#define KEEP	 (3 * US_PER_DAY)

struct habit {
	const char *name;
	double least_min, most_min; /* from seeing to acting */
	double rejects, shelves;    /* shares of what is decided */
	double sleeps;		    /* share of nights */
};

static const struct habit habits[2] = {
    {"quick", 1, 8, 0.02, 0, 0.05},
    {"slow", 10, 75, 0.25, 0.15, 0.5},
};

/* A plan waits for somebody until then; for a high risk one calls the other. */
struct decision {
	int64_t plan, at_us;
	size_t who; /* of habits */
	bool called;
};

struct year {
	struct world w;
	struct walks walks;
	uint64_t seed, random;
	struct plan_template templates[2];
	struct decision decision;
	size_t seen; /* alarms before it were dealt with */
	/* The last plan that somebody sent again, or took back. */
	int64_t again, back;
	/* The burst that is on, and since when nothing kept it unanswered. */
	int64_t burst_us, excused_us;
	size_t plans_before;
	bool answered;
	int64_t bursts, excused, faults, restarts;
	int64_t approved, rejected, shelved, called, redriven;
	int64_t modes[GATEWAY_MODES];
};

static struct year y;

static uint64_t
random_seed(void)
{
	const char *s = getenv("PENSTOCK_SIM_SEED");

	return (s != NULL ? strtoull(s, NULL, 10) : 20261120);
}

static double
uniform(void)
{
	y.random ^= y.random << 13;
	y.random ^= y.random >> 7;
	y.random ^= y.random << 17;
	return ((double)(y.random >> 11) * 0x1p-53);
}

static int64_t
between(double least, double most, int64_t unit_us)
{
	return (
	    (int64_t)((least + (most - least) * uniform()) * (double)unit_us));
}

static int64_t
now(void)
{
	return (y.w.twin->now_us);
}

/* Troubles: each comes about so often a year, and lasts for a while. */

static void
burst(bool on)
{
	int mode = uniform() < 0.5 ? 0 : (int)(uniform() * GATEWAY_MODES);

	if (on && (!y.w.district.west_open || y.burst_us != INSTANT_NONE))
		return;
	district_inject(&y.w.district, DISTRICT_BURST, on);
	y.burst_us = on ? now() : INSTANT_NONE;
	if (!on)
		return;
	y.bursts++;
	y.plans_before = y.w.twin->nplans;
	y.templates[0].risk = uniform() < 0.4 ? RISK_HIGH : RISK_MEDIUM;
	y.templates[1].risk = y.templates[0].risk;
	y.templates[1].priority = uniform() < 0.5 ? 50 : 150;
	y.answered = false;
	y.excused_us = INSTANT_NONE;
	y.w.mode = (enum gateway_mode)mode;
	y.w.twin->hold_late = mode == GATEWAY_LATE && uniform() < 0.5;
	y.modes[mode]++;
}

static void
gateway_repaired(bool on)
{
	if (on)
		return;
	y.w.mode = GATEWAY_WORKS;
	y.w.twin->hold_late = false;
}

static void
frozen(bool on)
{
	district_inject(&y.w.district, DISTRICT_FROZEN, on);
}

static void
silence(bool on)
{
	district_inject(&y.w.district, DISTRICT_SILENCE, on);
	if (!on && uniform() < 0.5)
		world_upload(&y.w);
	y.w.nkept = 0;
}

static void
spike(bool on)
{
	static size_t at;

	if (on)
		at = (size_t)(uniform() * DISTRICT_SERIES);
	y.w.off[at] = on ? 3 * y.w.district.values[at] : 0;
}

static void
drift(bool on)
{
	static size_t at;

	if (on)
		at = (size_t)(uniform() * DISTRICT_SERIES);
	y.w.off[at] = on ? 0.2 * y.w.district.values[at] : 0;
}

static void
pause_loop(bool on)
{
	y.w.twin->paused = on;
}

static void
emergency(bool on)
{
	y.w.twin->emergency = on;
}

/* Some call within the next cycles fails; a commit perhaps after it was. */
static void
database(bool on)
{
	if (!on)
		return;
	y.w.twin->fault = uniform() < 0.5 ? TWIN_FAULT_FAIL : TWIN_FAULT_LATE;
	y.w.twin->fail_at = y.w.twin->calls + between(1, 60, 1);
	y.faults++;
}

static void
restart(bool on)
{
	if (!on)
		return;
	loop_done(&y.w.loop);
	loop_init(&y.w.loop);
	y.restarts++;
}

static struct trouble {
	void (*turn)(bool on);
	double per_year, least_h, most_h;
	bool on;
	int64_t next_us;
} troubles[] = {
    {.turn = burst, 100, 2, 12},
    {.turn = gateway_repaired, 300, 0.1, 1},
    {.turn = frozen, 40, 6, 24},
    {.turn = silence, 40, 1, 12},
    {.turn = spike, 400, 0.08, 0.1},
    {.turn = drift, 20, 12, 96},
    {.turn = pause_loop, 12, 0.1, 1},
    {.turn = emergency, 40, 12, 72},
    {.turn = database, 1500, 0, 0},
    {.turn = restart, 100, 0, 0},
};

#define TROUBLES (sizeof(troubles) / sizeof(troubles[0]))

static void
schedule(struct trouble *t)
{
	if (t->on)
		t->next_us =
		    now() + between(t->least_h, t->most_h, US_PER_HOUR);
	else
		t->next_us =
		    now() + between(0, 2, (int64_t)(3.15576e13 / t->per_year));
}

static void
trouble(void)
{
	struct trouble *t;

	for (t = troubles; t < troubles + TROUBLES; t++) {
		if (now() < t->next_us)
			continue;
		t->on = !t->on;
		t->turn(t->on);
		schedule(t);
	}
}

/* People. */

static size_t
on_duty(void)
{
	return ((size_t)(now() / US_PER_DAY) % 2);
}

static bool
is_night(void)
{
	int64_t of_day = now() - instant_floor(now(), US_PER_DAY);

	return (of_day < 6 * US_PER_HOUR || of_day > 22 * US_PER_HOUR);
}

static void
look_at_plans(void)
{
	const struct habit *h = &habits[on_duty()];
	const struct plan *p;
	size_t i;

	for (i = y.w.twin->first_plan; i < y.w.twin->nplans; i++) {
		p = &y.w.twin->plans[i].plan;
		if (p->state != PLAN_PROPOSED || p->id <= y.decision.plan)
			continue;
		y.decision = (struct decision){.plan = p->id, .who = on_duty()};
		y.decision.at_us =
		    now() + between(h->least_min, h->most_min, US_PER_MINUTE);
		if (is_night() && uniform() < h->sleeps)
			y.decision.at_us += between(4, 9, US_PER_HOUR);
	}
}

/* One alone does not do for a high risk. */
static void
agree(struct decision *d)
{
	const struct plan *p = &y.w.twin->plans[d->plan - 1].plan;
	const struct habit *other = &habits[1 - d->who];

	y.approved += twin_approve_by(y.w.twin, d->plan, habits[d->who].name);
	if (p->state != PLAN_PROPOSED || d->called)
		return;
	d->called = true;
	d->who = 1 - d->who;
	d->at_us =
	    now() + between(other->least_min, other->most_min, US_PER_MINUTE);
	y.called++;
}

static void
decide(void)
{
	struct decision *d = &y.decision;

	if (d->at_us == INSTANT_NONE || now() < d->at_us)
		return;
	d->at_us = INSTANT_NONE;
	if (uniform() < habits[d->who].rejects)
		y.rejected += twin_reject(y.w.twin, d->plan);
	else
		agree(d);
}

static bool
asks_for_somebody(const struct twin_anomaly *o)
{
	return (o->alarm.state == ALARM_UNACKNOWLEDGED ||
	    o->alarm.state == ALARM_RETURNED);
}

static void
look_at_alarms(void)
{
	const struct habit *h = &habits[on_duty()];
	struct twin_anomaly *o;
	size_t i;

	for (i = y.w.twin->first_anomaly; i < y.w.twin->nanomalies; i++) {
		o = &y.w.twin->anomalies[i];
		if (!asks_for_somebody(o) ||
		    now() - o->alarm.state_us <
			between(h->least_min, h->most_min, US_PER_MINUTE))
			continue;
		if (o->state == ANOMALY_OPEN && uniform() < h->shelves)
			y.shelved += twin_shelve(y.w.twin, o->anomaly.id,
			    now() + between(1, 4, US_PER_HOUR));
		else
			(void)twin_alarm(
			    y.w.twin, o->anomaly.id, ALARM_ACKNOWLEDGE);
	}
}

static bool
is_carried_out(void)
{
	const struct plan *p;
	size_t i;

	for (i = y.w.twin->first_plan; i < y.w.twin->nplans; i++) {
		p = &y.w.twin->plans[i].plan;
		if (p->state == PLAN_APPROVED || p->state == PLAN_EXECUTING)
			return (true);
	}
	return (false);
}

/* The newest plan, if it is in that state and not about another one. */
static int64_t
newest_in(enum plan_state state)
{
	const struct twin_plan *p = world_last_plan(&y.w);

	return (p == NULL || p->plan.state != state || p->plan.undoes != 0
		? 0
		: p->plan.id);
}

/* Who sees it fail perhaps sends it again, before it is proposed anew. */
static void
send_again(void)
{
	int64_t id = newest_in(PLAN_FAILED);

	if (id == 0 || id == y.again)
		return;
	y.again = id;
	if (uniform() < 0.5)
		y.redriven +=
		    twin_redrive(y.w.twin, id, habits[on_duty()].name);
}

/* Once the pipe is mended, the plan that closed the valve is taken back, and
 * where that comes to nothing somebody opens it by hand. */
static void
open_valve(void)
{
	const struct twin_plan *p = world_last_plan(&y.w);
	int64_t id = newest_in(PLAN_WORKED);

	if (y.burst_us != INSTANT_NONE || y.w.district.west_open ||
	    is_carried_out() || (p != NULL && !twin_is_final(p->plan.state)))
		return;
	if (id > y.back && twin_undo(y.w.twin, id, "open_valve") != 0)
		y.back = id;
	else
		(void)district_valve_set(&y.w.district, "DEMO-V1", true);
}

static void
people(void)
{
	look_at_plans();
	decide();
	send_again();
	if (!is_night() || uniform() < 0.2)
		look_at_alarms();
	open_valve();
}

/* What must hold. */

static const struct twin_anomaly *
burst_alarm(void)
{
	return (world_open(&y.w, "DEMO-WEST", "flow", ANOMALY_THRESHOLD,
	    DIRECTION_HIGH, SEVERITY_CRITICAL));
}

/* A cycle that failed, a pause or a person's shelf put the answer off. */
static bool
is_excused(enum err err)
{
	const struct twin_anomaly *o = burst_alarm();

	return (err != ERR_OK || y.w.twin->paused ||
	    (o != NULL && o->alarm.state == ALARM_SHELVED));
}

static bool
is_answered(void)
{
	const struct twin_anomaly *o = burst_alarm();
	const struct plan *p;
	size_t i;

	for (i = y.w.twin->first_plan; i < y.w.twin->nplans; i++) {
		p = &y.w.twin->plans[i].plan;
		if (o != NULL && p->anomaly_id == o->anomaly.id)
			return (true);
	}
	return (y.w.twin->nplans > y.plans_before || !y.w.district.west_open);
}

static void
check_answer(enum err err)
{
	int64_t since = y.excused_us > y.burst_us ? y.excused_us : y.burst_us;

	if (y.burst_us == INSTANT_NONE || y.answered)
		return;
	if (is_excused(err)) {
		y.excused += y.excused_us == INSTANT_NONE;
		y.excused_us = now();
	} else
		y.answered = is_answered();
	cr_assert(y.answered || now() - since < ANSWERED,
	    "seed %llu: the burst of %lld s is not answered",
	    (unsigned long long)y.seed,
	    (long long)(y.burst_us / US_PER_SECOND));
}

static void
check(enum err err)
{
	char why[200] = "";

	walks_check(&y.walks, y.w.twin, why);
	cr_assert_str_eq(why, "", "seed %llu, %lld s: %s",
	    (unsigned long long)y.seed, (long long)(now() / US_PER_SECOND),
	    why);
	check_answer(err);
}

static void
pass(int64_t until_us)
{
	int64_t t;

	people();
	for (t = now() + STEP; t < until_us && is_carried_out();
	     t = now() + STEP) {
		check(world_cycle_at(&y.w, t));
		people();
	}
	trouble();
	check(world_tick_at(&y.w, until_us));
}

static void
start(void)
{
	struct trouble *t;

	y.seed = random_seed();
	y.random = y.seed * 2 + 1;
	y.burst_us = y.decision.at_us = INSTANT_NONE;
	printf("a simulated year: PENSTOCK_SIM_SEED=%llu\n",
	    (unsigned long long)y.seed);
	world_init(&y.w, y.seed, T0, CADENCE);
	y.templates[0] = y.templates[1] = y.w.template;
	y.templates[1].id = 2;
	y.templates[1].code = "isolate-at-once";
	y.templates[1].preapproved = true;
	y.w.twin->knowledge.templates = y.templates;
	y.w.twin->knowledge.ntemplates = 2;
	for (t = troubles; t < troubles + TROUBLES; t++)
		schedule(t);
}

static void
stop(void)
{
	world_done(&y.w);
}

TestSuite(year, .init = start, .fini = stop);

static int
count_plans(enum plan_state state)
{
	int n = 0;
	size_t i;

	for (i = 0; i < y.w.twin->nplans; i++)
		n += y.w.twin->plans[i].plan.state == state;
	return (n);
}

/* Of the second template; `unasked`: that ran without a person. */
static int
count_second(bool unasked)
{
	const struct twin_plan *p;
	int n = 0;
	size_t i;

	for (i = 0; i < y.w.twin->nplans; i++) {
		p = &y.w.twin->plans[i];
		n += p->plan.template_id == 2 && p->unasked >= unasked;
	}
	return (n);
}

static void
tell(void)
{
	int state;

	printf("%lld bursts, %lld excused; %zu anomalies, %zu moves; "
	       "%lld faults, %lld failed cycles, %lld restarts; %lld "
	       "approved, %lld rejected, %lld alarms shelved\n",
	    (long long)y.bursts, (long long)y.excused, y.w.twin->nanomalies,
	    y.w.twin->ntransitions, (long long)y.faults,
	    (long long)y.w.failed_cycles, (long long)y.restarts,
	    (long long)y.approved, (long long)y.rejected, (long long)y.shelved);
	printf("%d commands sent again, %d asked about; %d plans of the second "
	       "template, %d unasked; %lld redriven\n",
	    walks_hard(y.w.twin, false), walks_hard(y.w.twin, true),
	    count_second(false), count_second(true), (long long)y.redriven);
	for (state = 0; state < PLAN_STATE_COUNT; state++)
		printf("%d plans %s\n", count_plans((enum plan_state)state),
		    plan_state_name((enum plan_state)state));
}

Test(year, all_of_it)
{
	int64_t t, forget = T0 + KEEP;

	for (t = T0 + CADENCE; t < END; t += CADENCE) {
		pass(t);
		if (t < forget)
			continue;
		forget += US_PER_DAY;
		twin_forget(y.w.twin, t - KEEP);
	}
	tell();
	cr_assert_geq(y.bursts, 40);
	cr_assert_leq(y.excused, y.bursts / 4);
	cr_assert_geq(y.w.failed_cycles, y.faults / 2);
	cr_assert_gt(y.rejected, 0);
	cr_assert_gt(y.shelved, 0);
	cr_assert_gt(y.called, 5);
	cr_assert_gt(walks_hard(y.w.twin, false), 5);
	cr_assert_gt(walks_hard(y.w.twin, true), 10);
	cr_assert_gt(count_plans(PLAN_WORKED), 10);
	cr_assert_gt(count_plans(PLAN_FAILED), 0);
	cr_assert_gt(count_plans(PLAN_EXPIRED), 0);
	cr_assert_gt(count_plans(PLAN_UNDONE), 3);
	cr_assert_gt(count_second(false), 10);
	cr_assert_lt(count_second(false), (int)y.w.twin->nplans - 10);
	cr_assert_gt(count_second(true), 0);
	cr_assert_gt(y.redriven, 0);
	cr_assert_gt(walks_anomalies(y.w.twin, ANOMALY_FLATLINE), 20);
	cr_assert_gt(walks_anomalies(y.w.twin, ANOMALY_SILENCE), 20);
}
