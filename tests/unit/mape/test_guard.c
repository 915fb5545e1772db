#include "core/instant.h"
#include "mape/breaker.h"
#include "mape/guard.h"
#include "mape/verify.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define NOW (instant_from_civil(2026, 5, 1, 12 * US_PER_HOUR))
#define SEC US_PER_SECOND

static struct command command;
static struct plan plan;
static struct series effect;
static struct series_state state;
static struct breaker_state breaker;
static struct guard_facts facts;

static void
start(void)
{
	command = (struct command){
	    .plan_id = 3, .link = "V1", .gateway = "G1", .not_after_us = NOW};
	plan = (struct plan){.id = 3, .anomaly_id = 8, .state = PLAN_APPROVED};
	effect = (struct series){
	    .id = 1, .node = "N", .metric = "flow", .cadence_us = 60 * SEC};
	series_state_init(&state, 1);
	state.last_us = state.heard_us = NOW - 180 * SEC;
	breaker = (struct breaker_state){1, 4, INSTANT_NONE};
	facts = (struct guard_facts){
	    NOW, &command, &plan, 0, &effect, &state, &breaker, false};
}

TestSuite(guard, .init = start);

static void
expect(enum guard_verdict verdict, const char *guard, const char *value)
{
	struct guard_result r;

	guard_check(&facts, &r);
	cr_assert_eq(r.verdict, verdict);
	if (verdict == GUARD_PASS) {
		cr_assert_null(r.guard);
		return;
	}
	cr_assert_str_eq(r.guard, guard);
	cr_assert(strstr(r.detail, value), "%s", r.detail);
	if (verdict == GUARD_WAIT)
		cr_assert_gt(r.wait_until_us, NOW);
}

Test(guard, all_pass)
{
	expect(GUARD_PASS, NULL, NULL);
}

Test(guard, what_was_just_heard_may_be_history)
{
	state.heard_us = NOW;
	state.last_us = NOW - US_PER_HOUR;
	expect(GUARD_PASS, NULL, NULL);
	state.last_us -= SEC;
	expect(GUARD_WAIT, "data_fresh", "the newest of N/flow is 3601 s old");
}

Test(guard, not_after)
{
	command.not_after_us = NOW - 1;
	expect(GUARD_EXPIRE, "not_after", "2026-05-01T12:00:00Z");
	command.not_after_us = INSTANT_NONE;
	expect(GUARD_EXPIRE, "not_after", "unset");
}

Test(guard, plan_standing)
{
	facts.plan = NULL;
	expect(GUARD_REFUSE, "plan_standing", "plan 3");
	facts.plan = &plan;
	plan.anomaly_cleared = true;
	expect(GUARD_REFUSE, "plan_standing", "anomaly 8 is cleared");
	plan.state = PLAN_EXECUTING;
	expect(GUARD_PASS, NULL, NULL);
}

Test(guard, link_free)
{
	facts.contested_by = 77;
	expect(GUARD_REFUSE, "link_free", "plan 77");
}

Test(guard, data_fresh)
{
	state.heard_us--;
	state.heard_us -= SEC;
	expect(GUARD_WAIT, "data_fresh", "N/flow was heard 181 s ago");
	state.heard_us = INSTANT_NONE;
	expect(GUARD_WAIT, "data_fresh", "never heard");
	facts.effect_state = NULL;
	expect(GUARD_WAIT, "data_fresh", "never heard");
	effect.cadence_us = 0;
	expect(GUARD_PASS, NULL, NULL);
	facts.effect = NULL;
	expect(GUARD_PASS, NULL, NULL);
}

Test(guard, fast_series_have_a_minute)
{
	effect.cadence_us = 2 * SEC;
	state.heard_us = NOW - 60 * SEC;
	expect(GUARD_PASS, NULL, NULL);
	state.heard_us = NOW - 61 * SEC;
	expect(GUARD_WAIT, "data_fresh", "limit 60 s");
}

Test(guard, breaker)
{
	breaker_unanswered(&breaker, NOW - 10 * SEC);
	expect(GUARD_WAIT, "breaker", "5 failures");
	breaker.open_until_us = NOW;
	expect(GUARD_PASS, NULL, NULL);
	facts.probe_out = true;
	expect(GUARD_WAIT, "breaker", "being probed");
	cr_assert(breaker_answered(&breaker));
	cr_assert_not(breaker_answered(&breaker));
	expect(GUARD_PASS, NULL, NULL);
	facts.breaker = NULL;
	expect(GUARD_PASS, NULL, NULL);
}

Test(guard, breaker_opens_after_five_and_again_after_a_failed_probe)
{
	struct breaker_state b = {1, 0, INSTANT_NONE};
	int i;

	for (i = 1; i < BREAKER_FAILURES; i++) {
		breaker_unanswered(&b, NOW);
		cr_assert_not(breaker_is_open(&b, NOW));
	}
	breaker_unanswered(&b, NOW);
	cr_assert(breaker_is_open(&b, NOW + BREAKER_OPEN_US - 1));
	cr_assert(breaker_is_probing(&b, NOW + BREAKER_OPEN_US));
	breaker_unanswered(&b, NOW + BREAKER_OPEN_US);
	cr_assert(breaker_is_open(&b, NOW + BREAKER_OPEN_US));
}

static enum plan_event
judge(enum direction direction, double before, double after)
{
	struct plan p = {.effect_series = 1,
	    .effect_direction = direction,
	    .effect_least = 10,
	    .approved_us = NOW};
	struct window_stats b = {.count = 3, .mean = before};
	struct window_stats a = {.count = 3, .mean = after};
	const char *reason;

	return (verify_judge(&p, &b, &a, &reason));
}

Test(verify, direction_and_least)
{
	cr_assert_eq(judge(DIRECTION_LOW, 80, 70), PLAN_JUDGED_WORKED);
	cr_assert_eq(judge(DIRECTION_LOW, 80, 71), PLAN_JUDGED_NO_EFFECT);
	cr_assert_eq(judge(DIRECTION_LOW, 80, 89), PLAN_JUDGED_NO_EFFECT);
	cr_assert_eq(judge(DIRECTION_LOW, 80, 90), PLAN_JUDGED_WORSE);
	cr_assert_eq(judge(DIRECTION_HIGH, 10, 20), PLAN_JUDGED_WORKED);
	cr_assert_eq(judge(DIRECTION_HIGH, 10, 0), PLAN_JUDGED_WORSE);
	cr_assert_eq(judge(DIRECTION_HIGH, NAN, 0), PLAN_JUDGED_NO_EFFECT);
}

Test(verify, what_cannot_be_proved)
{
	struct plan p = {.effect_series = 1,
	    .effect_direction = DIRECTION_LOW,
	    .approved_us = NOW};
	struct window_stats few = {.count = 2}, enough = {.count = 3};
	const char *reason;

	cr_assert_eq(
	    verify_judge(&p, &few, &enough, &reason), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(reason, "too few readings before");
	cr_assert_eq(
	    verify_judge(&p, &enough, &few, &reason), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(reason, "too few readings after");
	cr_assert_eq(
	    verify_judge(&p, &enough, &enough, &reason), PLAN_JUDGED_NO_EFFECT);
	cr_assert_null(reason);
	p.effect_direction = DIRECTION_NONE;
	cr_assert_eq(verify_judge(&p, &enough, &enough, &reason),
	    PLAN_JUDGED_NOT_PROVABLE);
	p.effect_series = 0;
	cr_assert_eq(verify_judge(&p, &enough, &enough, &reason),
	    PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(reason, "the plan names no effect series");
}
