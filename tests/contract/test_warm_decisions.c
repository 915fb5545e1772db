#include "warm_fixture.h"

#include <libpq-fe.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY "6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a01"

TestSuite(
    warm_decisions, .init = fixture_open, .fini = fixture_close, .timeout = 60);

static struct decisions_port *d = &fx.ports.decisions;

static int64_t
raise_low(int64_t last_us, double value, bool *ret_new)
{
	struct anomaly a = {
	    .condition = {fx.series[0], ANOMALY_THRESHOLD, DIRECTION_LOW,
		SEVERITY_CRITICAL, 0},
	    .rule_id = "threshold:1",
	    .first_us = NOON,
	    .last_us = last_us,
	    .value = value,
	    .limit = 10,
	    .evidence = "{\"unit\": \"m\"}",
	    .knowledge_version = 4,
	};
	int64_t id = 0;

	ok(d->anomaly_raise(d->self, &a, &id, ret_new, &fx.info));
	return (id);
}

static int64_t
propose(void)
{
	struct plan p = {
	    .template_id = fx.template,
	    .proposed_us = NOON,
	    .expires_us = NOON + US_PER_HOUR,
	    .approved_us = INSTANT_NONE,
	    .executed_us = INSTANT_NONE,
	    .effect_series = fx.series[0],
	    .effect_direction = DIRECTION_HIGH,
	    .effect_least = 0.5,
	    .effect_window_us = 60 * US_PER_SECOND,
	    .reasons = "{}",
	    .knowledge_version = 4,
	};
	struct command c[] = {
	    {.step = 1,
		.link_id = fx.link,
		.gateway_id = 1,
		.action = "close_valve",
		.argument = "{\"percent\": 100}",
		.key = KEY},
	    {.step = 2,
		.link_id = fx.link,
		.gateway_id = 1,
		.action = "open_valve",
		.argument = "{}",
		.key = "6f1c1f0e-7f5a-4b0e-9d56-0f3f6f1f2a02"},
	};
	int64_t id = 0;
	bool fresh;

	p.anomaly_id = raise_low(NOON, 9, &fresh);
	ok(d->plan_propose(d->self, &p, c, 2, &id, &fx.info));
	return (id);
}

static enum err
move(const char *subject, int64_t id, const char *from, const char *to)
{
	struct move m = {subject, id, "X1", from, to, NOON + US_PER_MINUTE,
	    "{\"why\": 1}", 4};

	err_clear(&fx.info);
	return (d->move(d->self, &m, &fx.info));
}

Test(warm_decisions, one_open_anomaly_per_condition)
{
	bool fresh = false;
	int64_t id = raise_low(NOON, 9, &fresh);

	cr_assert(fresh);
	cr_assert_eq(raise_low(NOON + 5, 8, &fresh), id);
	cr_assert_not(fresh);
	cr_assert_eq(raise_low(NOON + 3, 7, &fresh), id);
	cr_assert_eq(
	    sql_int("SELECT count(*) FROM anomalies WHERE value = 8 AND "
		    "last_at = '2026-11-20T12:00:00.000005Z' AND first_at = "
		    "'2026-11-20T12:00:00Z' AND evidence->>'unit' = 'm'"),
	    1);
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE "
			     "subject = 'anomaly' AND subject_id = %lld AND "
			     "to_state = 'open' AND actor = 'loop'",
			 (long long)id),
	    1);
}

Test(warm_decisions, clearing_and_raising_again_is_a_new_one)
{
	struct condition c = {fx.series[0], ANOMALY_THRESHOLD, DIRECTION_LOW,
	    SEVERITY_CRITICAL, 0};
	struct move m = {
	    "anomaly", 0, "A1", "open", "cleared", NOON + 9, "{}", 4};
	bool fresh;
	int64_t id = raise_low(NOON, 9, &fresh), open[3];

	ok(d->anomalies_open(d->self, open, &fx.info));
	cr_assert_eq(open[SEVERITY_CRITICAL], 1);
	ok(d->anomaly_clear(d->self, &c, &m, &fx.info));
	ok(d->anomaly_clear(d->self, &c, &m, &fx.info));
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE row_id = "
			     "'A1' AND subject_id = %lld AND from_state = "
			     "'open'",
			 (long long)id),
	    1);
	ok(d->anomalies_open(d->self, open, &fx.info));
	cr_assert_eq(open[SEVERITY_CRITICAL], 0);
	cr_assert_neq(raise_low(NOON + 20, 9, &fresh), id);
	cr_assert(fresh);
}

static bool
told(int32_t series, int64_t at_us)
{
	bool ret = false;

	ok(d->anomaly_told(d->self, series, at_us, &ret, &fx.info));
	return (ret);
}

Test(warm_decisions, what_was_open_at_a_time_is_known)
{
	struct condition c = {fx.series[0], ANOMALY_THRESHOLD, DIRECTION_LOW,
	    SEVERITY_CRITICAL, 0};
	struct move m = {
	    "anomaly", 0, "A1", "open", "cleared", NOON + 9, "{}", 4};
	bool fresh;

	(void)raise_low(NOON, 9, &fresh);
	cr_assert_not(told(fx.series[0], NOON - 1));
	cr_assert(told(fx.series[0], NOON));
	cr_assert(told(fx.series[0], NOON + 50));
	cr_assert_not(told(fx.series[1], NOON));
	ok(d->anomaly_clear(d->self, &c, &m, &fx.info));
	cr_assert(told(fx.series[0], NOON + 8));
	cr_assert_not(told(fx.series[0], NOON + 9));
	sql("UPDATE anomalies SET type = 'unusual'");
	cr_assert_not(told(fx.series[0], NOON + 8));
}

Test(warm_decisions, planning_is_recorded_once)
{
	struct anomaly *a = NULL;
	size_t n = 0;
	bool fresh;
	int64_t id = raise_low(NOON + 5, NAN, &fresh);

	ok(d->anomalies_unplanned(d->self, &fx.arena, NOON, &a, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(a[0].id, id);
	cr_assert_eq(a[0].condition.series, fx.series[0]);
	cr_assert_eq(a[0].condition.type, ANOMALY_THRESHOLD);
	cr_assert_eq(a[0].condition.direction, DIRECTION_LOW);
	cr_assert_eq(a[0].condition.severity, SEVERITY_CRITICAL);
	cr_assert_str_eq(a[0].rule_id, "threshold:1");
	cr_assert_eq(a[0].last_us, NOON + 5);
	cr_assert(isnan(a[0].value));
	cr_assert_eq(a[0].limit, 10);
	ok(d->anomaly_planned(
	    d->self, id, "no_plan_fits", "{\"a\":1}", &fx.info));
	ok(d->anomalies_unplanned(d->self, &fx.arena, NOON, &a, &n, &fx.info));
	cr_assert_eq(n, 0);
	cr_assert_eq(d->anomaly_planned(d->self, 999, "x", "{}", &fx.info),
	    ERR_CONFLICT);
}

static size_t
due_for_planning(int64_t fresh_us)
{
	struct anomaly *a = NULL;
	size_t n = 0;

	ok(d->anomalies_unplanned(
	    d->self, &fx.arena, fresh_us, &a, &n, &fx.info));
	return (n);
}

static void
planned(int64_t id, const char *outcome, const char *reasons)
{
	ok(d->anomaly_planned(d->self, id, outcome, reasons, &fx.info));
}

/* Each of what holds planning back, and its end. */
Test(warm_decisions, planning_comes_back_when_nothing_holds_it)
{
	int64_t plan = propose(), id = sql_int("SELECT id FROM anomalies");
	static const char *const again[] = {"expired", "failed"};
	static const char *const over[] = {"rejected", "worked", "no_effect",
	    "worse", "not_provable", "proposed", "verifying"};
	size_t i;

	planned(id, "no_plan_fits", "{\"history\": true}");
	cr_assert_eq(due_for_planning(NOON + 1), 0);
	cr_assert_eq(due_for_planning(NOON), 1);
	planned(id, "plan_open", "{\"link\": \"V1\"}");
	cr_assert_eq(due_for_planning(NOON), 0);
	cr_assert_eq(move("plan", plan, "proposed", "rejected"), ERR_OK);
	cr_assert_eq(due_for_planning(NOON), 1);
	planned(id, "proposed", "{}");
	for (i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		sql("UPDATE plans SET state = '%s'", over[i]);
		cr_assert_eq(due_for_planning(NOON), 0, "%s", over[i]);
	}
	for (i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		sql("UPDATE plans SET state = '%s'", again[i]);
		cr_assert_eq(due_for_planning(NOON), 1, "%s", again[i]);
		cr_assert_eq(due_for_planning(NOON + 1), 0);
	}
	sql("UPDATE anomalies SET state = 'cleared', planning = NULL");
	cr_assert_eq(due_for_planning(NOON), 0);
}

Test(warm_decisions, the_severest_is_planned_first)
{
	struct anomaly *a = NULL;
	size_t n = 0;
	bool fresh;

	(void)raise_low(NOON, 9, &fresh);
	sql("UPDATE anomalies SET severity = 'info'");
	(void)raise_low(NOON, 9, &fresh);
	ok(d->anomalies_unplanned(d->self, &fx.arena, NOON, &a, &n, &fx.info));
	cr_assert_eq(n, 2);
	cr_assert_eq(a[0].condition.severity, SEVERITY_CRITICAL);
	cr_assert_eq(a[1].condition.severity, SEVERITY_INFO);
}

Test(warm_decisions, a_plan_comes_back_as_proposed)
{
	int64_t id = propose();
	struct plan *p = NULL;
	struct command *c = NULL;
	size_t n = 0;
	struct plan_holder h;

	ok(d->plans_in(d->self, &fx.arena, PLAN_PROPOSED, &p, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(p[0].id, id);
	cr_assert_eq(p[0].state, PLAN_PROPOSED);
	cr_assert_eq(p[0].expires_us, NOON + US_PER_HOUR);
	cr_assert_eq(p[0].approved_us, INSTANT_NONE);
	cr_assert_eq(p[0].executed_us, INSTANT_NONE);
	cr_assert_eq(p[0].effect_series, fx.series[0]);
	cr_assert_eq(p[0].effect_window_us, 60 * US_PER_SECOND);
	ok(d->commands_of(d->self, &fx.arena, id, &c, &n, &fx.info));
	cr_assert_eq(n, 2);
	cr_assert_eq(c[0].state, COMMAND_PLANNED);
	cr_assert_str_eq(c[0].key, KEY);
	cr_assert_str_eq(c[0].gateway_url, "http://127.0.0.1:9/");
	cr_assert_str_eq(c[0].link, "V1");
	cr_assert_str_eq(c[0].argument, "{\"percent\": 100}");
	cr_assert_eq(c[0].not_after_us, INSTANT_NONE);
	cr_assert_eq(p[0].risk, RISK_HIGH);
	cr_assert_eq(p[0].undoes, 0);
	cr_assert_not(p[0].preapproved);
	ok(d->plan_open_on(d->self, fx.link, &h, &fx.info));
	cr_assert_eq(h.plan_id, id);
	cr_assert_eq(h.state, PLAN_PROPOSED);
	cr_assert_eq(h.severity, SEVERITY_CRITICAL);
	cr_assert_eq(h.undoes, 0);
	cr_assert_eq(move("plan", id, "proposed", "expired"), ERR_OK);
	ok(d->plan_open_on(d->self, fx.link, &h, &fx.info));
	cr_assert_eq(h.plan_id, 0);
}

Test(warm_decisions, a_plan_says_how_it_is_proved)
{
	struct plan *p = NULL;
	size_t n = 0;

	(void)propose();
	sql("UPDATE plans SET before_s = 900, dwell_s = 2.5, "
	    "control_series_id = %d",
	    (int)fx.series[1]);
	ok(d->plans_in(d->self, &fx.arena, PLAN_PROPOSED, &p, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(p->before_us, 900 * US_PER_SECOND);
	cr_assert_eq(p->dwell_us, 5 * US_PER_SECOND / 2);
	cr_assert_eq(p->control_series, fx.series[1]);
	cr_assert_eq(p->began_us, NOON);
	cr_assert_eq(p->sent_us, INSTANT_NONE);
	sql("UPDATE plans SET control_series_id = NULL");
	ok(d->plans_in(d->self, &fx.arena, PLAN_PROPOSED, &p, &n, &fx.info));
	cr_assert_eq(p->control_series, 0);
}

/* Sent again, it was sent first when it was. */
Test(warm_decisions, a_plan_knows_when_its_first_command_was_sent)
{
	int64_t id = propose();
	struct plan *p = NULL;
	size_t n = 0;

	sql("UPDATE plans SET state = 'approved'");
	cr_assert_eq(move("plan", id, "approved", "executing"), ERR_OK);
	ok(d->plans_in(d->self, &fx.arena, PLAN_EXECUTING, &p, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(p->sent_us, NOON + US_PER_MINUTE);
	sql("UPDATE plans SET state = 'approved', sent_at = sent_at - "
	    "interval '1 s'");
	cr_assert_eq(move("plan", id, "approved", "executing"), ERR_OK);
	cr_assert_eq(move("plan", id, "executing", "verifying"), ERR_OK);
	ok(d->plans_in(d->self, &fx.arena, PLAN_VERIFYING, &p, &n, &fx.info));
	cr_assert_eq(p->sent_us, NOON + 59 * US_PER_SECOND);
}

Test(warm_decisions, a_policy_agrees_to_what_it_may)
{
	const struct knowledge_port *k = &fx.ports.knowledge;
	bool yes = true;
	int64_t id;

	sql("UPDATE plan_templates SET risk = 'low'");
	id = propose();
	ok(k->emergency(k->self, &yes, &fx.info));
	cr_assert_not(yes);
	ok(d->plan_unasked(d->self, id, "emergency", &yes, &fx.info));
	cr_assert_not(yes);
	ok(d->plan_unasked(d->self, id, "low-risk", &yes, &fx.info));
	cr_assert_not(yes, "it has expired");
	sql("UPDATE plans SET expires_at = now() + interval '1 h'");
	ok(d->plan_unasked(d->self, id, "low-risk", &yes, &fx.info));
	cr_assert(yes);
	ok(d->plan_unasked(d->self, id, "low-risk", &yes, &fx.info));
	cr_assert_not(yes, "it is approved already");
	cr_assert_eq(sql_int("SELECT count(*) FROM plans WHERE state = "
			     "'approved' AND decided_by = 'policy:low-risk'"),
	    1);
}

Test(warm_decisions, a_plan_that_is_done_has_undone_another)
{
	struct plan *p = NULL;
	size_t n = 0;
	int64_t id = propose();

	sql("INSERT INTO plans (anomaly_id, template_id, state, proposed_at, "
	    "expires_at, effect_direction, effect_least, effect_window_s, "
	    "command_life_s, reasons, knowledge_version, undoes) SELECT "
	    "anomaly_id, template_id, 'executing', now(), now(), 'none', 0, "
	    "60, 60, '{}', 4, id FROM plans");
	sql("UPDATE plans SET state = 'worked' WHERE id = %lld", (long long)id);
	sql("UPDATE anomalies SET state = 'cleared'");
	ok(d->plans_in(d->self, &fx.arena, PLAN_EXECUTING, &p, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(p[0].undoes, id);
	cr_assert_not(p[0].anomaly_cleared, "it outlives its anomaly");
	cr_assert_eq(move("plan", p[0].id, "executing", "verifying"), ERR_OK);
	cr_assert_eq(sql_int("SELECT count(*) FROM plans WHERE id = %lld AND "
			     "state = 'undone'",
			 (long long)id),
	    1);
}

Test(warm_decisions, a_move_needs_the_state_it_leaves)
{
	int64_t id = propose();

	cr_assert_eq(move("plan", id, "approved", "executing"), ERR_CONFLICT);
	cr_assert_eq(move("plan", id, "proposed", "approved"), ERR_OK);
	cr_assert_eq(move("plan", id, "proposed", "rejected"), ERR_CONFLICT);
	cr_assert_eq(move("plan", id, "approved", "executing"), ERR_OK);
	cr_assert_eq(move("plan", id, "executing", "verifying"), ERR_OK);
	cr_assert_eq(sql_int("SELECT count(*) FROM plans WHERE executed_at = "
			     "'2026-11-20T12:01:00Z' AND closed_at IS NULL "
			     "AND verdict IS NULL"),
	    1);
	cr_assert_eq(move("plan", id, "verifying", "worked"), ERR_OK);
	cr_assert_eq(sql_int("SELECT count(*) FROM plans WHERE closed_at IS "
			     "NOT NULL AND verdict->>'why' = '1'"),
	    1);
	cr_assert_eq(sql_int("SELECT count(*) FROM transitions WHERE subject "
			     "= 'plan' AND from_state IS NOT NULL AND "
			     "knowledge_version = 4"),
	    4);
	cr_assert_eq(move("nothing", id, "a", "b"), ERR_INTERNAL);
}

Test(warm_decisions, commands_are_due_in_their_order)
{
	int64_t plan = propose();
	struct command *c = NULL;
	size_t n = 0;

	sql("UPDATE commands SET state = 'queued', next_attempt_at = "
	    "to_timestamp(%lld)",
	    (long long)(NOON / US_PER_SECOND));
	ok(d->commands_due(d->self, &fx.arena, NOON - 1, 8, &c, &n, &fx.info));
	cr_assert_eq(n, 0);
	ok(d->commands_due(d->self, &fx.arena, NOON, 10, &c, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(c[0].step, 1);
	cr_assert_eq(c[0].plan_id, plan);
	c[0].attempts = 3;
	c[0].next_attempt_us = NOON + 9;
	c[0].asked = 2;
	c[0].ask_until_us = NOON + 99;
	ok(d->command_attempt(d->self, &c[0], "no answer", &fx.info));
	ok(d->commands_due(d->self, &fx.arena, NOON + 8, 10, &c, &n, &fx.info));
	cr_assert_eq(n, 0);
	ok(d->commands_due(d->self, &fx.arena, NOON + 9, 10, &c, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(c[0].attempts, 3);
	cr_assert_eq(c[0].asked, 2);
	cr_assert_eq(c[0].ask_until_us, NOON + 99);
	cr_assert_eq(move("command", c[0].id, "queued", "sent"), ERR_OK);
	cr_assert_eq(move("command", c[0].id, "sent", "executed"), ERR_OK);
	ok(d->commands_due(d->self, &fx.arena, NOON + 9, 10, &c, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(c[0].step, 2);
	cr_assert_eq(sql_int("SELECT count(*) FROM commands WHERE sent_at IS "
			     "NOT NULL AND closed_at IS NOT NULL AND "
			     "last_error = 'no answer'"),
	    1);
}

Test(warm_decisions, breakers_are_kept)
{
	struct breaker_state b = {1, 5, NOON}, *r = NULL;
	size_t n = 0;

	ok(d->breakers_load(d->self, &fx.arena, &r, &n, &fx.info));
	cr_assert_eq(n, 0);
	ok(d->breaker_save(d->self, &b, &fx.info));
	b.failures = 0;
	b.open_until_us = INSTANT_NONE;
	ok(d->breaker_save(d->self, &b, &fx.info));
	ok(d->breakers_load(d->self, &fx.arena, &r, &n, &fx.info));
	cr_assert_eq(n, 1);
	cr_assert_eq(r[0].failures, 0);
	cr_assert_eq(r[0].open_until_us, INSTANT_NONE);
}

Test(warm_decisions, a_rollback_leaves_nothing)
{
	ok(d->begin(d->self, &fx.info));
	(void)propose();
	d->rollback(d->self);
	cr_assert_eq(sql_int("SELECT (SELECT count(*) FROM anomalies) + "
			     "(SELECT count(*) FROM plans) + (SELECT "
			     "count(*) FROM transitions)"),
	    0);
	d->rollback(d->self);
}

/* A failed unit of work cannot be committed by mistake. */
Test(warm_decisions, a_failed_unit_does_not_commit)
{
	bool fresh;

	ok(d->begin(d->self, &fx.info));
	(void)raise_low(NOON, 9, &fresh);
	cr_assert_eq(d->anomaly_planned(d->self, 1, "x", "no json", &fx.info),
	    ERR_INVALID);
	err_clear(&fx.info);
	cr_assert_eq(d->commit(d->self, &fx.info), ERR_DATABASE);
	cr_assert_eq(sql_int("SELECT count(*) FROM anomalies"), 0);
	ok(d->begin(d->self, &fx.info));
	ok(d->commit(d->self, &fx.info));
}

Test(warm_decisions, events_are_told_when_they_are_so)
{
	struct notifier_port *p = &fx.ports.notifier;
	PGconn *ear = PQconnectdb(getenv("PENSTOCK_TEST_DATABASE"));
	PGnotify *note;

	PQclear(PQexec(ear, "LISTEN penstock_event"));
	ok(d->begin(d->self, &fx.info));
	p->notify(p->self, "plan_worked", 1, NULL);
	d->rollback(d->self);
	ok(d->begin(d->self, &fx.info));
	p->notify(p->self, "plan_proposed", 7, "{\"link\":\"V1\"}");
	ok(d->commit(d->self, &fx.info));
	PQclear(PQexec(ear, "SELECT 1"));
	note = PQnotifies(ear);
	cr_assert_not_null(note);
	cr_assert_str_eq(note->extra,
	    "{\"event\":\"plan_proposed\",\"id\":7,"
	    "\"detail\":{\"link\":\"V1\"}}");
	PQfreemem(note);
	cr_assert_null(PQnotifies(ear));
	PQfinish(ear);
}
