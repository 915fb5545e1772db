/* Gateways that misbehave, people who do not answer, and guards. */
#include "world.h"

#include "core/instant.h"

#include <criterion/criterion.h>
#include <string.h>

#define CADENCE (10 * US_PER_SECOND)
#define T0	instant_from_civil(2026, 11, 16, 0)

static struct world w;

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

TestSuite(hostile, .init = start, .fini = stop);

/* A burst with its plan proposed; the effect window lies in the burst. */
static struct twin_plan *
proposed(void)
{
	world_ticks(&w, 20);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 15);
	cr_assert_eq(w.twin->nplans, 1);
	return (world_last_plan(&w));
}

static struct twin_plan *
approved(enum gateway_mode mode)
{
	struct twin_plan *p = proposed();

	w.mode = mode;
	cr_assert(twin_approve(w.twin, p->plan.id));
	return (p);
}

static int
count_rows(const char *subject, const char *row_id)
{
	int n = 0;
	size_t i;

	for (i = 0; i < w.twin->ntransitions; i++)
		n += strcmp(w.twin->transitions[i].subject, subject) == 0 &&
		    strcmp(w.twin->transitions[i].row_id, row_id) == 0;
	return (n);
}

/* Nothing of the time when the water was well is held against it. */
static struct twin_plan *
judged_after(int ticks)
{
	struct twin_plan *p;

	world_ticks(&w, 20);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 2);
	p = world_last_plan(&w);
	cr_assert_not_null(p);
	world_ticks(&w, ticks);
	cr_assert(twin_approve(w.twin, p->plan.id));
	world_ticks(&w, 13);
	cr_assert_gt(p->plan.sent_us, w.twin->anomalies[0].anomaly.first_us);
	return (p);
}

Test(hostile, who_agrees_soon_is_judged_by_what_was_since_the_burst)
{
	struct twin_plan *p = judged_after(2);

	cr_assert_eq(p->plan.state, PLAN_WORKED, "%s", p->verdict);
	cr_assert_not_null(strstr(p->verdict, "\"expected\":4,\"count\":4"));
}

Test(hostile, who_agrees_at_once_leaves_too_little_to_judge_by)
{
	struct twin_plan *p = judged_after(0);

	cr_assert_eq(p->plan.state, PLAN_NOT_PROVABLE, "%s", p->verdict);
	cr_assert_not_null(strstr(
	    p->verdict, "between the anomaly's begin and the first command"));
}

/* Judged only once the dwell is over, and beside a meter it does not touch. */
Test(hostile, a_dwell_and_a_control_are_kept_to)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);

	p->plan.dwell_us = 60 * US_PER_SECOND;
	p->plan.control_series = district_find("DEMO-NORTH", "flow") + 1;
	world_ticks(&w, 16);
	cr_assert_eq(p->plan.state, PLAN_VERIFYING);
	world_ticks(&w, 2);
	cr_assert_eq(p->plan.state, PLAN_WORKED, "%s", p->verdict);
	cr_assert_not_null(strstr(p->verdict, "\"dwell_s\":60"));
	cr_assert_not_null(
	    strstr(p->verdict, "\"control\":{\"node\":\"DEMO-NORTH\""));
	cr_assert_not_null(strstr(p->verdict, "\"control_change\":"));
}

/* A control that falls silent leaves nothing to compare with. */
Test(hostile, without_its_control_it_is_not_provable)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);

	p->plan.control_series = district_find("DEMO-S2", "pressure") + 1;
	district_inject(&w.district, DISTRICT_SILENCE, true);
	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_VERIFYING);
	world_ticks(&w, 2);
	cr_assert_eq(p->plan.state, PLAN_NOT_PROVABLE);
	cr_assert_not_null(
	    strstr(p->verdict, "too few readings of the control after"));
}

/* It may have acted: it is asked, and never told twice. */
static void
ends_unknown(enum gateway_mode mode)
{
	struct twin_plan *p = approved(mode);
	struct twin_command *c = &w.twin->commands[0];

	world_ticks(&w, 3);
	cr_assert_eq(c->command.state, COMMAND_UNKNOWN);
	cr_assert_eq(p->plan.state, PLAN_EXECUTING);
	world_ticks(&w, 70);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(c->command.state, COMMAND_UNKNOWN);
	cr_assert(c->dead);
	cr_assert_eq(c->sends, 1);
	cr_assert_eq(w.received, 1);
	cr_assert_geq(w.asked, 5);
	cr_assert_eq(w.asked, c->asks);
	cr_assert_eq(count_rows("command", "C12"), 1);
	cr_assert_eq(count_rows("command", "C27"), 1);
	cr_assert_eq(count_rows("plan", "P6"), 1);
	cr_assert_geq(w.twin->breakers[0].failures, 5);
}

Test(hostile, silent_gateway_leaves_its_command_unknown)
{
	ends_unknown(GATEWAY_SILENT);
	cr_assert_eq(w.executed, 0);
}

Test(hostile, nor_is_one_believed_to_have_failed_that_acted)
{
	ends_unknown(GATEWAY_MUTE);
	cr_assert_eq(w.executed, 1);
}

Test(hostile, a_gateway_out_of_reach_is_tried_until_not_after)
{
	struct twin_plan *p = approved(GATEWAY_AWAY);
	struct twin_command *c = &w.twin->commands[0];
	int i;

	for (i = 0; i < 45; i++) {
		world_ticks(&w, 1);
		cr_assert_leq(
		    c->command.next_attempt_us, c->command.not_after_us + 1);
	}
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(c->command.state, COMMAND_EXPIRED);
	cr_assert_geq(c->sends, 6);
	cr_assert_eq(c->sends, c->command.attempts);
	cr_assert_eq(c->sends, w.received);
	cr_assert_eq(w.asked, 0);
	cr_assert_eq(count_rows("command", "C8"), 1);
}

/* Its answer is no answer, but when asked it says that it never acted. */
Test(hostile, what_it_never_had_is_sent_again)
{
	struct twin_plan *p = approved(GATEWAY_BROKEN);

	world_ticks(&w, 8);
	cr_assert_geq(w.received, 2);
	cr_assert_geq(count_rows("command", "C19"), 1);
	w.mode = GATEWAY_WORKS;
	world_ticks(&w, 30);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.executed, 1);
}

Test(hostile, repeatable_ones_are_sent_again_without_asking)
{
	w.action.repeatable = true;
	(void)approved(GATEWAY_BROKEN);
	world_ticks(&w, 10);
	cr_assert_geq(w.received, 2);
	cr_assert_eq(w.asked, 0);
	cr_assert_eq(count_rows("command", "C12"), 0);
}

Test(hostile, what_is_accepted_is_asked_about)
{
	struct twin_plan *p = approved(GATEWAY_ACCEPTS);

	world_ticks(&w, 25);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.received, 1);
	cr_assert_eq(count_rows("command", "C11"), 1);
	cr_assert_eq(count_rows("command", "C13"), 1);
	cr_assert_eq(count_rows("command", "C21"), 1);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_VERIFIED);
}

/* One gateway's silence holds up no cycle: its answer is taken when it comes. */
Test(hostile, a_late_answer_is_taken_in_a_later_cycle)
{
	struct twin_plan *p = approved(GATEWAY_LATE);
	struct twin_command *c = &w.twin->commands[0];

	w.twin->hold_late = true;
	world_ticks(&w, 1);
	cr_assert_eq(c->command.state, COMMAND_SENT);
	w.twin->hold_late = false;
	world_ticks(&w, 1);
	cr_assert_eq(c->command.state, COMMAND_EXECUTED);
	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.received, 1);
}

/* By then it was given up as lost and asked about: nothing is done twice. */
Test(hostile, an_answer_that_is_too_late_changes_nothing)
{
	struct twin_plan *p = approved(GATEWAY_LATE);
	struct twin_command *c = &w.twin->commands[0];

	w.twin->hold_late = true;
	world_ticks(&w, 4);
	cr_assert_eq(c->command.state, COMMAND_EXECUTED);
	cr_assert_eq(count_rows("command", "C12"), 1);
	cr_assert_eq(count_rows("command", "C16"), 1);
	w.twin->hold_late = false;
	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.received, 1);
}

Test(hostile, open_breaker_holds_commands_back)
{
	int at_fifth = 0;

	(void)approved(GATEWAY_AWAY);
	while (w.twin->nbreakers == 0 || w.twin->breakers[0].failures < 5)
		world_ticks(&w, 1);
	at_fifth = w.received;
	world_ticks(&w, 2);
	cr_assert_eq(w.received, at_fifth, "open for 30 s");
	cr_assert(strstr(w.twin->commands[0].error, "breaker"));
	w.mode = GATEWAY_WORKS;
	world_ticks(&w, 2);
	cr_assert_eq(w.executed, 1, "the probe passes");
	cr_assert_eq(w.twin->breakers[0].failures, 0);
	cr_assert_eq(w.twin->breakers[0].open_until_us, INSTANT_NONE);
}

Test(hostile, refusal_is_final)
{
	struct twin_plan *p = approved(GATEWAY_SAYS_NO);

	world_ticks(&w, 10);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_FAILED);
	cr_assert_eq(w.received, 1);
	cr_assert_eq(count_rows("command", "C6"), 1);
}

Test(hostile, a_lost_answer_is_asked_for)
{
	struct twin_plan *p = approved(GATEWAY_DROPS);

	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	cr_assert_eq(w.executed, 1);
	cr_assert_eq(w.received, 1);
	cr_assert_eq(w.asked, 1);
	cr_assert_eq(count_rows("command", "C12"), 1);
	cr_assert_eq(count_rows("command", "C16"), 1);
}

Test(hostile, undecided_proposal_expires)
{
	struct twin_plan *p = proposed();

	world_ticks(&w, 361);
	cr_assert_eq(p->plan.state, PLAN_EXPIRED);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_CANCELLED);
	cr_assert_not(twin_approve(w.twin, 1));
	cr_assert_eq(w.received, 0);
	world_ticks(&w, 1);
	cr_assert_eq(w.twin->nplans, 2, "the burst is there still");
	cr_assert(twin_approve(w.twin, 2));
	world_ticks(&w, 20);
	cr_assert_eq(w.twin->plans[1].plan.state, PLAN_WORKED);
}

/* It could not be carried out any more, and would hold its link. */
Test(hostile, proposal_for_what_has_gone_expires)
{
	struct twin_plan *p = proposed();

	district_inject(&w.district, DISTRICT_BURST, false);
	world_ticks(&w, 3);
	cr_assert_eq(p->plan.state, PLAN_EXPIRED);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_CANCELLED);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 6);
	cr_assert_eq(w.twin->nplans, 2);
	cr_assert_eq(world_last_plan(&w)->plan.state, PLAN_PROPOSED);
}

Test(hostile, rejected_is_never_sent)
{
	(void)proposed();
	cr_assert(twin_reject(w.twin, 1));
	world_ticks(&w, 20);
	cr_assert_eq(w.received, 0);
}

Test(hostile, approval_of_what_has_gone_is_refused)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);

	w.twin->paused = true;
	district_inject(&w.district, DISTRICT_BURST, false);
	world_ticks(&w, 3);
	w.twin->paused = false;
	world_ticks(&w, 1);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(w.received, 0);
	cr_assert_eq(count_rows("command", "C7"), 1);
	cr_assert_eq(count_rows("plan", "P7"), 1);
}

Test(hostile, not_after_passes_during_a_pause)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);

	w.twin->paused = true;
	world_ticks(&w, 31);
	w.twin->paused = false;
	world_ticks(&w, 1);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_EXPIRED);
	cr_assert_eq(w.received, 0);
}

/* Refused with the values it saw, which are kept. */
static void
refused_by(const char *guard, const char *value)
{
	struct twin_plan *p = proposed();
	const char *facts = "";
	size_t i;

	cr_assert(twin_approve(w.twin, p->plan.id));
	world_ticks(&w, 1);
	cr_assert_eq(w.received, 0);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_FAILED);
	for (i = 0; i < w.twin->ntransitions; i++)
		if (strcmp(w.twin->transitions[i].row_id, "C7") == 0)
			facts = w.twin->transitions[i].facts;
	cr_assert_not_null(strstr(facts, guard), "%s", facts);
	cr_assert_not_null(strstr(facts, value), "%s", facts);
}

Test(hostile, nothing_leaves_while_hands_are_off)
{
	w.twin->asset.hands_off = "DEMO";
	w.twin->asset.hands_off_by = "ada";
	w.twin->asset.hands_off_why = "divers in the main";
	refused_by("\"guard\":\"hands_off\"", "divers in the main");
}

Test(hostile, a_locked_link_is_not_moved)
{
	w.twin->asset.locked_by = "bob";
	w.twin->asset.lock_why = "shaft open";
	refused_by("\"guard\":\"asset_lock\"", "shaft open");
}

Test(hostile, links_of_a_group_are_not_moved_at_once)
{
	w.twin->asset.exclusion = "feeders";
	w.twin->asset.excluding = "V9";
	w.twin->asset.excluding_plan = 77;
	refused_by("\"guard\":\"exclusion\"", "\"plan\":77");
}

Test(hostile, a_value_out_of_limits_refuses)
{
	static struct guard_limit limit = {.low = 1e6, .high = 2e6};

	limit.series = district_find("DEMO-WEST", "flow") + 1;
	w.twin->asset.limits = &limit;
	w.twin->asset.nlimits = 1;
	refused_by("\"guard\":\"limits\"", "\"low\":1000000");
}

/* The second burst's command waits until the link may be moved again. */
static void
second_waits(const char *guard)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);

	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
	(void)district_valve_set(
	    &w.district, w.twin->commands[0].command.link, true);
	district_inject(&w.district, DISTRICT_BURST, false);
	world_ticks(&w, 30);
	district_inject(&w.district, DISTRICT_BURST, true);
	world_ticks(&w, 30);
	cr_assert_eq(w.twin->nplans, 2);
	cr_assert(twin_approve(w.twin, 2));
	world_ticks(&w, 2);
	cr_assert_eq(w.executed, 1);
	cr_assert_not_null(strstr(w.twin->commands[1].error, guard), "%s",
	    w.twin->commands[1].error);
}

Test(hostile, a_link_is_not_moved_too_often)
{
	w.twin->asset.max_per_hour = 1;
	second_waits("\"guard\":\"per_hour\"");
}

Test(hostile, a_link_rests_between_two_moves)
{
	w.twin->asset.min_interval_us = 1000 * US_PER_SECOND;
	second_waits("\"guard\":\"interval\"");
	world_ticks(&w, 20);
	cr_assert_eq(w.executed, 2);
}

static enum err
pause_behind(void *self, const struct merge *m, struct err_info *info)
{
	(void)m;
	(void)info;
	((struct twin *)self)->paused = true;
	return (ERR_OK);
}

/* Whoever pauses the loop while it merges readings stops that cycle's
 * commands too. */
Test(hostile, a_pause_in_the_midst_of_a_cycle_holds)
{
	(void)approved(GATEWAY_WORKS);
	w.ports.telemetry.store = pause_behind;
	world_ticks(&w, 1);
	cr_assert(w.figures.paused);
	cr_assert_eq(w.received, 0);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_QUEUED);
}

Test(hostile, without_data_the_command_waits)
{
	int i;

	(void)proposed();
	/* The meter falls silent; the loop runs on. */
	for (i = 0; i < 7; i++) {
		w.twin->now_us += CADENCE;
		cr_assert_eq(
		    loop_cycle(&w.loop, &w.ports, &w.figures, NULL), ERR_OK);
	}
	cr_assert(twin_approve(w.twin, 1));
	cr_assert_eq(loop_cycle(&w.loop, &w.ports, &w.figures, NULL), ERR_OK);
	cr_assert_eq(w.received, 0);
	cr_assert(strstr(w.twin->commands[0].error, "data_fresh"));
	world_ticks(&w, 2);
	cr_assert_eq(w.executed, 1);
}

Test(hostile, closing_what_does_not_help_is_no_effect)
{
	struct twin_plan *p = proposed();

	w.template.effect_least = 1000;
	p->plan.effect_least = 1000;
	cr_assert(twin_approve(w.twin, 1));
	world_ticks(&w, 20);
	cr_assert_eq(p->plan.state, PLAN_NO_EFFECT);
	cr_assert(strstr(p->verdict, "\"change\":-"));
}

Test(hostile, no_data_after_is_not_provable)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);
	int i;

	world_ticks(&w, 1);
	for (i = 0; i < 21; i++) {
		w.twin->now_us += CADENCE;
		cr_assert_eq(
		    loop_cycle(&w.loop, &w.ports, &w.figures, NULL), ERR_OK);
	}
	cr_assert_eq(p->plan.state, PLAN_NOT_PROVABLE);
	cr_assert(strstr(p->verdict, "too few readings after"));
}

Test(hostile, time_may_pass_while_an_attempt_is_recorded)
{
	struct twin_plan *p;

	w.template.command_life_us = 50 * US_PER_SECOND;
	p = approved(GATEWAY_WORKS);
	w.twin->commit_takes_us = 30 * US_PER_SECOND;
	world_ticks(&w, 1);
	cr_assert_eq(count_rows("command", "C3"), 1, "it was about to leave");
	world_ticks(&w, 3);
	cr_assert_eq(w.twin->commands[0].command.state, COMMAND_EXPIRED);
	cr_assert_eq(p->plan.state, PLAN_FAILED);
	cr_assert_eq(w.received, 0);
	cr_assert_eq(w.twin->nbreakers, 0, "the gateway is not to blame");
}

Test(hostile, verdict_waits_for_late_data)
{
	struct twin_plan *p = approved(GATEWAY_WORKS);
	struct reading late[12];
	int i;

	world_ticks(&w, 1);
	for (i = 0; i < 12; i++) {
		w.twin->now_us += CADENCE;
		late[i] =
		    (struct reading){district_find("DEMO-WEST", "flow") + 1,
			QUALITY_GOOD, 0.5, w.twin->now_us, w.twin->now_us};
		cr_assert_eq(
		    loop_cycle(&w.loop, &w.ports, &w.figures, NULL), ERR_OK);
	}
	cr_assert_eq(p->plan.state, PLAN_VERIFYING);
	twin_log(w.twin, late, 12);
	cr_assert_eq(loop_cycle(&w.loop, &w.ports, &w.figures, NULL), ERR_OK);
	cr_assert_eq(p->plan.state, PLAN_WORKED);
}
