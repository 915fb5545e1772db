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
static struct guard_asset asset;
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
	    .now_us = NOW,
	    .command = &command,
	    .plan = &plan,
	    .effect = &effect,
	    .effect_state = &state,
	    .breaker = &breaker,
	    .asset = &asset,
	};
	asset = (struct guard_asset){.moved_us = INSTANT_NONE};
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
	cr_assert_eq(r.values[0], '{');
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
	expect(
	    GUARD_WAIT, "data_fresh", "N/flow has a newest that is 3601 s old");
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

static void
sees(const char *part)
{
	struct guard_result r;

	guard_check(&facts, &r);
	cr_assert_not_null(strstr(r.values, part), "%s", r.values);
}

Test(guard, hands_off)
{
	asset.hands_off = "everywhere";
	asset.hands_off_by = "ada";
	asset.hands_off_why = "storm";
	expect(GUARD_REFUSE, "hands_off", "ada took hands off: everywhere");
	sees("{\"where\":\"everywhere\",\"by\":\"ada\",\"reason\":\"storm\"}");
}

/* What was written at length is cut; the rest of the values stays. */
Test(guard, a_long_reason)
{
	char why[1001];

	memset(why, 'a', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	asset.hands_off = "everywhere";
	asset.hands_off_by = "ada";
	asset.hands_off_why = why;
	expect(GUARD_REFUSE, "hands_off", "ada took hands off: everywhere");
	sees("\"by\":\"ada\",\"reason\":\"aaaa");
}

Test(guard, asset_lock)
{
	asset.locked_by = "bob";
	asset.lock_why = "a man in the shaft";
	expect(GUARD_REFUSE, "asset_lock", "link V1 is locked by bob");
	sees("\"reason\":\"a man in the shaft\"");
}

Test(guard, exclusion)
{
	asset.exclusion = "feeders";
	expect(GUARD_PASS, NULL, NULL);
	asset.excluding = "V2";
	asset.excluding_plan = 9;
	expect(
	    GUARD_REFUSE, "exclusion", "plan 9 moves link V2 of group feeders");
	sees("\"plan\":9");
}

Test(guard, per_hour)
{
	asset.max_per_hour = 3;
	asset.moves = 2;
	expect(GUARD_PASS, NULL, NULL);
	asset.moves = 3;
	expect(GUARD_WAIT, "per_hour", "3 times within the hour, most 3");
	sees("\"moves\":3,\"most\":3");
}

Test(guard, interval)
{
	struct guard_result r;

	asset.min_interval_us = 60 * SEC;
	expect(GUARD_PASS, NULL, NULL);
	asset.moved_us = NOW - 60 * SEC;
	expect(GUARD_PASS, NULL, NULL);
	asset.moved_us += 20 * SEC;
	expect(GUARD_WAIT, "interval", "moved 40 s ago, least 60 s");
	guard_check(&facts, &r);
	cr_assert_eq(r.wait_until_us, NOW + 20 * SEC);
	sees("\"least_s\":60");
}

/* A tank that must not run dry, a main that must keep its pressure. */
Test(guard, limits)
{
	struct series tank = {
	    .id = 2, .node = "T", .metric = "level", .cadence_us = 60 * SEC};
	struct series_state level;
	struct guard_level l = {&tank, &level, 1, 4, ""};

	series_state_init(&level, 2);
	facts.levels = &l;
	facts.nlevels = 1;
	expect(GUARD_WAIT, "limits", "T/level was never heard");
	level.last_us = level.heard_us = NOW;
	level.last_value = 1;
	expect(GUARD_PASS, NULL, NULL);
	level.last_value = 4;
	expect(GUARD_PASS, NULL, NULL);
	level.last_value = 0.5;
	expect(GUARD_REFUSE, "limits", "T/level is 0.5, which must be from 1");
	sees("\"value\":0.5,\"low\":1,\"high\":4");
	l.low = NAN;
	expect(GUARD_PASS, NULL, NULL);
	level.last_value = 5;
	expect(GUARD_REFUSE, "limits", "T/level is 5, which must be at most 4");
	l.low = 6;
	l.high = NAN;
	expect(
	    GUARD_REFUSE, "limits", "T/level is 5, which must be at least 6");
	l.low = NAN;
	l.high = NAN;
	expect(GUARD_PASS, NULL, NULL);
	level.heard_us = NOW - 181 * SEC;
	expect(GUARD_WAIT, "limits", "T/level was heard 181 s ago");
	sees("\"heard_s\":181,\"limit_s\":180");
	level.heard_us = NOW;
	level.last_us = NOW - US_PER_HOUR - SEC;
	expect(GUARD_WAIT, "limits", "3601 s old");
	l.series = NULL;
	expect(GUARD_REFUSE, "limits", "is retired");
}

/* Without a cadence nothing says that it is silent, but history it can be. */
Test(guard, limits_need_a_value)
{
	struct series tank = {.id = 2, .node = "T", .metric = "level"};
	struct series_state level;
	struct guard_level l = {&tank, &level, 1, 4, ""};

	series_state_init(&level, 2);
	facts.levels = &l;
	facts.nlevels = 1;
	expect(GUARD_WAIT, "limits", "T/level was never heard");
	level.last_us = level.heard_us = NOW - 300 * SEC;
	level.last_value = 2;
	expect(GUARD_PASS, NULL, NULL);
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
	struct verify_evidence e = {
	    .windows.before = {.count = 3, .mean = before},
	    .windows.after = {.count = 3, .mean = after}};

	return (verify_judge(&p, &e));
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

/* What changed both is no effect; what only the control did is one. */
Test(verify, a_control_takes_off_what_changed_both)
{
	struct plan p = {.effect_series = 1,
	    .effect_direction = DIRECTION_LOW,
	    .effect_least = 10,
	    .approved_us = NOW};
	struct series s = {.node = "N"};
	struct verify_evidence e = {.control = &s,
	    .windows = {.controlled = true,
		.before = {.count = 9, .mean = 80},
		.after = {.count = 9, .mean = 60},
		.control_before = {.count = 9, .mean = 50},
		.control_after = {.count = 9, .mean = 32}}};

	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NO_EFFECT);
	cr_assert_eq(e.estimate.change, -20);
	cr_assert_eq(e.estimate.control_change, -18);
	cr_assert_eq(e.estimate.effect, -2);
	e.windows.control_after.mean = 55;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_WORKED);
	cr_assert_eq(e.estimate.effect, -25);
	e.windows.control_after.count = 2;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(e.reason, "too few readings of the control after");
	e.control = NULL;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(e.reason, "the control series is retired");
}

/* R 4.2: t.test() of 1:5 and 11:15 gives -12.306 to -7.694, df 8. */
Test(verify, the_span_is_students)
{
	struct effect_windows w = {
	    .before = {.count = 5, .mean = 13, .variance = 2.5},
	    .after = {.count = 5, .mean = 3, .variance = 2.5}};
	struct effect_estimate e;

	effect_estimate(&w, &e);
	cr_assert_float_eq(e.se, 1, 1e-12);
	cr_assert_float_eq(e.df, 8, 1e-9);
	cr_assert_float_eq(e.low, -12.306, 1e-3);
	cr_assert_float_eq(e.high, -7.694, 1e-3);
	w.before.count = w.after.count = 501;
	effect_estimate(&w, &e);
	cr_assert_float_eq(e.t, 1.96234, 1e-4);
}

Test(verify, what_does_not_stand_out_is_not_provable)
{
	struct plan p = {.effect_series = 1,
	    .effect_direction = DIRECTION_LOW,
	    .effect_least = 10,
	    .approved_us = NOW};
	struct verify_evidence e = {
	    .windows = {.before = {.count = 4, .mean = 80, .variance = 400},
		.after = {.count = 4, .mean = 65, .variance = 400}}};

	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(
	    e.reason, "the change does not stand out of the spread");
	e.windows.before.count = e.windows.after.count = 40;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_WORKED);
	e.windows.after.mean = 95;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_WORSE);
	e.windows.after.mean = 75;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NO_EFFECT);
}

static const char *
why_not(struct verify_evidence *e, int64_t before, int64_t after, int64_t bad)
{
	struct plan p = {.effect_series = 1,
	    .effect_direction = DIRECTION_LOW,
	    .approved_us = NOW};

	e->windows.before = (struct window_stats){.count = before};
	e->windows.after = (struct window_stats){.count = after, .bad = bad};
	cr_assert_eq(verify_judge(&p, e),
	    e->reason == NULL ? PLAN_JUDGED_NO_EFFECT
			      : PLAN_JUDGED_NOT_PROVABLE);
	return (e->reason == NULL ? "" : e->reason);
}

Test(verify, what_cannot_be_proved)
{
	struct series s = {.cadence_us = US_PER_MINUTE};
	struct verify_evidence e = {.before_us = {0, 10 * US_PER_MINUTE},
	    .after_us = {0, 10 * US_PER_MINUTE}};
	struct plan p = {.effect_series = 1, .approved_us = NOW};

	cr_assert_str_eq(why_not(&e, 2, 3, 0), "too few readings before");
	e.is_cut = true;
	cr_assert_str_eq(why_not(&e, 2, 3, 0),
	    "too few readings between the anomaly's begin and the first "
	    "command");
	e.is_cut = false;
	cr_assert_str_eq(why_not(&e, 3, 2, 0), "too few readings after");
	cr_assert_str_eq(why_not(&e, 3, 3, 0), "");
	e.series = &s;
	cr_assert_str_eq(why_not(&e, 4, 9, 0), "too few readings before");
	cr_assert_str_eq(why_not(&e, 5, 5, 5), "");
	cr_assert_str_eq(
	    why_not(&e, 9, 4, 6), "too many readings after are of bad quality");
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NOT_PROVABLE);
	p.effect_series = 0;
	cr_assert_eq(verify_judge(&p, &e), PLAN_JUDGED_NOT_PROVABLE);
	cr_assert_str_eq(e.reason, "the plan names no effect series");
}
