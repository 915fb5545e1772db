#include "mape/verify.h"

#include "core/instant.h"

enum plan_event
verify_judge(const struct plan *p, const struct window_stats *before,
    const struct window_stats *after, const char **ret_reason)
{
	double towards;

	*ret_reason = NULL;
	if (p->effect_series == 0)
		*ret_reason = "the plan names no effect series";
	else if (p->effect_direction == DIRECTION_NONE)
		*ret_reason = "the plan names no direction";
	else if (p->approved_us == INSTANT_NONE)
		*ret_reason = "there is no time of approval";
	else if (before->count < VERIFY_READINGS)
		*ret_reason = "too few readings before";
	else if (after->count < VERIFY_READINGS)
		*ret_reason = "too few readings after";
	if (*ret_reason != NULL)
		return (PLAN_JUDGED_NOT_PROVABLE);
	towards = after->mean - before->mean;
	if (p->effect_direction == DIRECTION_LOW)
		towards = -towards;
	if (towards > 0 && towards >= p->effect_least)
		return (PLAN_JUDGED_WORKED);
	if (towards < 0 && towards <= -p->effect_least)
		return (PLAN_JUDGED_WORSE);
	return (PLAN_JUDGED_NO_EFFECT);
}

/* Data reach the end of the window, or waiting longer will not help. */
static bool
is_due(struct act *a, const struct plan *p)
{
	const struct series_state *st = act_state(a, p->effect_series);
	int64_t end = p->executed_us + p->effect_window_us;

	if (a->now_us < end)
		return (p->effect_series == 0);
	return (st == NULL || st->last_us >= end ||
	    a->now_us >= end + p->effect_window_us);
}

static void
write_window(struct text *t, const char *key, int64_t from_us, int64_t to_us,
    const struct window_stats *w)
{
	json_object(t, key);
	json_instant(t, "from", from_us);
	json_instant(t, "to", to_us);
	json_int(t, "count", w->count);
	json_double(t, "mean", w->mean);
	json_double(t, "min", w->min);
	json_double(t, "max", w->max);
	json_object_end(t);
}

static char *
verdict(struct act *a, const struct plan *p, const struct window_stats w[2],
    enum plan_event event, const char *reason)
{
	const struct fsm_row *row = fsm_find(&plan_fsm, PLAN_VERIFYING, event);
	struct text t;

	text_init(&t, 4096);
	json_object(&t, NULL);
	json_string(&t, "verdict", plan_state_name(row->to));
	if (reason != NULL)
		json_string(&t, "reason", reason);
	json_string(&t, "direction", direction_name(p->effect_direction));
	json_double(&t, "least", p->effect_least);
	if (p->effect_series != 0 && p->approved_us != INSTANT_NONE) {
		json_double(&t, "change", w[1].mean - w[0].mean);
		write_window(&t, "before", p->approved_us - p->effect_window_us,
		    p->approved_us, &w[0]);
		write_window(&t, "after", p->executed_us,
		    p->executed_us + p->effect_window_us, &w[1]);
	}
	json_object_end(&t);
	return (act_keep(a, &t));
}

/* The water did what they were sent for. */
static enum err
verify_commands(struct act *a, const struct plan *p)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct command *c;
	size_t i, n;
	enum err err;

	err = d->commands_of(d->self, a->arena, p->id, &c, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++)
		err = act_move(a, &command_fsm, c[i].id, (int)c[i].state,
		    COMMAND_VERIFY, act_fact(a, "plan", "worked"));
	return (err);
}

static enum err
verify_one(struct act *a, const struct plan *p)
{
	const struct telemetry_port *tm = &a->ports->telemetry;
	const struct notifier_port *notifier = &a->ports->notifier;
	struct window_stats w[2] = {0};
	enum plan_event event;
	const char *reason;
	char *facts;
	enum err err = ERR_OK;

	if (p->effect_series != 0 && p->approved_us != INSTANT_NONE) {
		err = tm->window(tm->self, p->effect_series,
		    p->approved_us - p->effect_window_us, p->approved_us, &w[0],
		    a->info);
		if (err == ERR_OK)
			err = tm->window(tm->self, p->effect_series,
			    p->executed_us,
			    p->executed_us + p->effect_window_us, &w[1],
			    a->info);
	}
	if (err != ERR_OK)
		return (err);
	event = verify_judge(p, &w[0], &w[1], &reason);
	facts = verdict(a, p, w, event, reason);
	err = act_move(a, &plan_fsm, p->id, PLAN_VERIFYING, event, facts);
	if (err != ERR_OK)
		return (err);
	if (event == PLAN_JUDGED_WORKED)
		err = verify_commands(a, p);
	if (err != ERR_OK)
		return (err);
	a->figures->verified++;
	notifier->notify(notifier->self, "plan_verified", p->id, facts);
	return (ERR_OK);
}

enum err
verify_plans(struct act *a)
{
	const struct decisions_port *d = &a->ports->decisions;
	struct plan *plans;
	size_t i, n;
	enum err err;

	err =
	    d->plans_in(d->self, a->arena, PLAN_VERIFYING, &plans, &n, a->info);
	for (i = 0; err == ERR_OK && i < n; i++) {
		if (is_due(a, &plans[i]))
			err = verify_one(a, &plans[i]);
	}
	return (err);
}
