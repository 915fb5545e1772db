/* Who must agree to a plan, what runs unasked, what is done side by side, and
 * how a plan is stopped and taken back. */
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <string.h>

#define CADENCE (10 * US_PER_SECOND)
#define T0	instant_from_civil(2026, 11, 16, 0)

static struct world w;

static const struct template_action together[] = {
    {1, "close_valve", "valve", "inlet", "{}", false},
    {1, "stop_pump", "pump", "zone", "{}", false},
    {2, "start_pump", "pump", "zone", "{}", false},
};

static void
start(void)
{
	world_init(&w, 5, T0, CADENCE);
}

static void
stop(void)
{
	cr_expect_str_eq(w.twin->violation, "");
	world_done(&w);
}

TestSuite(plans, .init = start, .fini = stop);

static struct twin_plan *
proposed(void)
{
	world_ticks(&w, 20);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 15);
	cr_assert_eq(w.twin->nplans, 1);
	return (world_last_plan(&w));
}

static enum command_state
state_of(size_t i)
{
	return (w.twin->commands[i].command.state);
}

static bool
was_walked(const char *subject, const char *row_id)
{
	size_t i;

	for (i = 0; i < w.twin->ntransitions; i++)
		if (strcmp(w.twin->transitions[i].subject, subject) == 0 &&
		    strcmp(w.twin->transitions[i].row_id, row_id) == 0)
			return (true);
	return (false);
}

Test(plans, a_high_risk_waits_for_the_second_person)
{
	struct twin_plan *p;

	w.template.risk = RISK_HIGH;
	p = proposed();
	cr_assert(twin_approve_by(w.twin, 1, "ada"));
	cr_assert_not(twin_approve_by(w.twin, 1, "ada"), "she did already");
	world_ticks(&w, 5);
	cr_assert_eq(p->plan.state, PLAN_PROPOSED);
	cr_assert_eq(w.received, 0);
	cr_assert(twin_approve_by(w.twin, 1, "bob"));
	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.executed, 1);
}

Test(plans, an_old_approval_does_not_count)
{
	struct twin_plan *p;

	w.template.risk = RISK_HIGH;
	p = proposed();
	cr_assert(twin_approve_by(w.twin, 1, "ada"));
	world_ticks(&w, 181);
	cr_assert(twin_approve_by(w.twin, 1, "bob"));
	world_ticks(&w, 1);
	cr_assert_eq(p->plan.state, PLAN_PROPOSED);
	cr_assert(twin_approve_by(w.twin, 1, "ada"), "once more");
	world_ticks(&w, 1);
	cr_assert_neq(p->plan.state, PLAN_PROPOSED);
}

Test(plans, a_step_is_done_side_by_side_and_the_next_waits_for_all)
{
	w.template.actions = together;
	w.template.nactions = 3;
	(void)proposed();
	cr_assert_eq(w.twin->ncommands, 3);
	w.mode = GATEWAY_ACCEPTS;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 1);
	cr_assert_eq(w.received, 2, "both at once");
	cr_assert_eq(state_of(0), COMMAND_ACCEPTED);
	cr_assert_eq(state_of(1), COMMAND_ACCEPTED);
	cr_assert_eq(state_of(2), COMMAND_QUEUED);
	while (state_of(0) == COMMAND_ACCEPTED ||
	    state_of(1) == COMMAND_ACCEPTED) {
		cr_assert_eq(state_of(2), COMMAND_QUEUED);
		world_ticks(&w, 1);
	}
	world_ticks(&w, 2);
	cr_assert_eq(w.received, 3);
}

Test(plans, one_that_fails_ends_its_step_and_what_would_follow)
{
	w.template.actions = together;
	w.template.nactions = 3;
	(void)proposed();
	w.mode = GATEWAY_SAYS_NO;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 3);
	cr_assert_eq(w.twin->plans[0].plan.state, PLAN_FAILED);
	cr_assert_eq(w.failed_cycles, 0);
	cr_assert_eq(state_of(0), COMMAND_FAILED);
	cr_assert_eq(state_of(1), COMMAND_FAILED);
	cr_assert_eq(state_of(2), COMMAND_CANCELLED);
}

static enum err
second_is_locked(void *self, struct arena *a, const struct command *c,
    int64_t now_us, struct guard_asset *ret, struct err_info *info)
{
	enum err err = twin_guard_asset(self, a, c, now_us, ret, info);

	if (c->id == 2) {
		ret->locked_by = "bob";
		ret->lock_why = "shaft open";
	}
	return (err);
}

/* The first was about to leave when the second ended the plan. */
Test(plans, what_is_beside_a_refused_one_stays)
{
	w.template.actions = together;
	w.template.nactions = 3;
	(void)proposed();
	w.ports.decisions.guard_asset = second_is_locked;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 1);
	cr_assert_eq(w.twin->plans[0].plan.state, PLAN_FAILED);
	cr_assert(was_walked("command", "C3"));
	cr_assert_eq(state_of(1), COMMAND_FAILED);
	world_ticks(&w, 5);
	cr_assert_eq(state_of(0), COMMAND_FAILED);
	cr_assert_eq(state_of(2), COMMAND_CANCELLED);
	cr_assert_eq(w.received, 0);
	cr_assert_eq(w.failed_cycles, 0);
	cr_assert_eq(w.twin->nbreakers, 0, "the gateway is not to blame");
}

static void
stop_meanwhile(void *arg, const struct command *c, struct gateway_reply *r)
{
	(void)arg;
	cr_assert(twin_cancel(w.twin, c->plan_id));
	r->outcome = GATEWAY_EXECUTED;
}

Test(plans, stopped_while_its_command_is_out)
{
	struct twin_plan *p = proposed();

	w.twin->gateway = stop_meanwhile;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 1);
	cr_assert_eq(w.failed_cycles, 0);
	cr_assert_eq(p->plan.state, PLAN_CANCELLED);
	cr_assert_eq(state_of(0), COMMAND_EXECUTED);
}

Test(plans, stopped_on_its_way)
{
	w.template.actions = together;
	w.template.nactions = 3;
	(void)proposed();
	w.mode = GATEWAY_ACCEPTS;
	cr_assert_not(twin_cancel(w.twin, 1), "it is only proposed");
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 1);
	cr_assert(twin_cancel(w.twin, 1));
	world_ticks(&w, 30);
	cr_assert_eq(world_last_plan(&w)->plan.state, PLAN_CANCELLED);
	cr_assert_eq(state_of(0), COMMAND_EXECUTED, "it is asked about still");
	cr_assert_eq(state_of(2), COMMAND_CANCELLED);
	cr_assert_eq(w.received, 2);
	cr_assert_eq(w.twin->nplans, 1, "a person said so: it is left alone");
}

Test(plans, taken_back)
{
	struct twin_plan *p = proposed();
	int64_t undo;

	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 25);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	undo = twin_undo(w.twin, 1, "open_valve");
	cr_assert_eq(undo, 2);
	world_ticks(&w, 3);
	cr_assert_eq(w.twin->plans[1].plan.state, PLAN_PROPOSED,
	    "it outlives the anomaly, and waits for people");
	cr_assert(twin_approve(w.twin, undo));
	world_ticks(&w, 3);
	cr_assert_eq(w.executed, 2);
	cr_assert_eq(p->plan.state, PLAN_UNDONE);
	cr_assert(was_walked("plan", "P20"));
	cr_assert_eq(w.twin->plans[1].plan.state, PLAN_NOT_PROVABLE);
}

Test(plans, a_low_risk_runs_unasked_if_that_is_set)
{
	w.template.risk = RISK_LOW;
	world_ticks(&w, 1);
	w.loop.rules.low_risk = true;
	(void)proposed();
	world_ticks(&w, 20);
	cr_assert_gt(w.twin->plans[0].plan.state, PLAN_VERIFYING);
	cr_assert_eq(w.executed, 1);
	cr_assert(w.twin->plans[0].unasked);
}

Test(plans, and_not_otherwise)
{
	w.template.risk = RISK_LOW;
	(void)proposed();
	w.template.risk = RISK_MEDIUM;
	world_ticks(&w, 5);
	cr_assert_eq(w.twin->plans[0].plan.state, PLAN_PROPOSED);
	cr_assert_eq(w.received, 0);
}

Test(plans, in_an_emergency_the_preapproved_runs_and_nothing_else)
{
	struct twin_plan *p;

	w.template.risk = RISK_LOW;
	w.loop.rules.low_risk = true;
	w.twin->emergency = true;
	p = proposed();
	world_ticks(&w, 5);
	cr_assert_eq(p->plan.state, PLAN_PROPOSED, "low, but not protective");
	w.template.preapproved = true;
	world_ticks(&w, 1);
	cr_assert_eq(w.executed, 1);
	cr_assert_eq(p->napprovers, 0);
}
