#include "mape/verify.h"

#include "core/instant.h"
#include "mape/knowledge.h"

#include <math.h>

#define TEST_NAME "Welch's span of a difference of means"
#define TEST_SOURCE                                        \
	"Welch 1947, Satterthwaite 1946; with a control, " \
	"difference in differences"

/* How many readings the cadence promises; 0: nobody knows. */
static int64_t
promised(const struct series *s, const int64_t span_us[2])
{
	return (s == NULL || s->cadence_us <= 0
		? 0
		: (span_us[1] - span_us[0]) / s->cadence_us);
}

static bool
is_enough(int64_t count, int64_t expected)
{
	return (count >= VERIFY_READINGS &&
	    (double)count >= VERIFY_SHARE * (double)expected);
}

/* NULL: the window holds enough. */
static const char *
lacks(const struct window_stats *w, int64_t expected, const char *few,
    const char *bad)
{
	if (is_enough(w->count, expected))
		return (NULL);
	return (is_enough(w->count + w->bad, expected) ? bad : few);
}

static const char *
lacking(const struct verify_evidence *e)
{
	const struct effect_windows *w = &e->windows;
	const char *why;

	why = lacks(&w->before, promised(e->series, e->before_us),
	    e->is_cut ? "too few readings between the anomaly's begin and the "
			"first command"
		      : "too few readings before",
	    "too many readings before are of bad quality");
	if (why == NULL)
		why = lacks(&w->after, promised(e->series, e->after_us),
		    "too few readings after",
		    "too many readings after are of bad quality");
	if (why != NULL || !w->controlled)
		return (why);
	if (e->control == NULL)
		return ("the control series is retired");
	why = lacks(&w->control_before, promised(e->control, e->before_us),
	    "too few readings of the control before",
	    "too many readings of the control before are of bad quality");
	if (why == NULL)
		why =
		    lacks(&w->control_after, promised(e->control, e->after_us),
			"too few readings of the control after",
			"too many readings of the control after are of bad "
			"quality");
	return (why);
}

static const char *
not_to_be_judged(const struct plan *p)
{
	if (p->effect_series == 0)
		return ("the plan names no effect series");
	if (p->effect_direction == DIRECTION_NONE)
		return ("the plan names no direction");
	if (p->approved_us == INSTANT_NONE)
		return ("there is no time of approval");
	return (NULL);
}

enum plan_event
verify_judge(const struct plan *p, struct verify_evidence *e)
{
	double towards, margin;

	if ((e->reason = not_to_be_judged(p)) != NULL ||
	    (e->reason = lacking(e)) != NULL)
		return (PLAN_JUDGED_NOT_PROVABLE);
	effect_estimate(&e->windows, &e->estimate);
	e->estimated = true;
	towards = e->estimate.effect;
	margin = e->estimate.t * e->estimate.se;
	if (p->effect_direction == DIRECTION_LOW)
		towards = -towards;
	if (towards > margin && towards >= p->effect_least)
		return (PLAN_JUDGED_WORKED);
	if (towards < -margin && towards <= -p->effect_least)
		return (PLAN_JUDGED_WORSE);
	if (!(p->effect_least > 0) || !(fabs(towards) >= p->effect_least))
		return (PLAN_JUDGED_NO_EFFECT);
	e->reason = "the change does not stand out of the spread";
	return (PLAN_JUDGED_NOT_PROVABLE);
}

static void
set_spans(const struct plan *p, struct verify_evidence *e)
{
	int64_t before = p->before_us > 0 ? p->before_us : p->effect_window_us;
	int64_t end = p->sent_us == INSTANT_NONE ? p->approved_us : p->sent_us;
	int64_t begin = p->began_us < end ? p->began_us : end;

	e->is_cut = begin > end - before;
	e->before_us[0] = e->is_cut ? begin : end - before;
	e->before_us[1] = end;
	e->after_us[0] = p->executed_us + p->dwell_us;
	e->after_us[1] = e->after_us[0] + p->effect_window_us;
}

static bool
reaches(struct act *a, int32_t series, int64_t end_us)
{
	const struct series_state *st =
	    series == 0 ? NULL : act_state(a, series);

	return (st == NULL || st->last_us >= end_us);
}

/* Data reach the end of the window, or waiting longer will not help. */
static bool
is_due(struct act *a, const struct plan *p)
{
	int64_t end = p->executed_us + p->dwell_us + p->effect_window_us;

	if (a->now_us < end)
		return (p->effect_series == 0);
	return ((reaches(a, p->effect_series, end) &&
		    reaches(a, p->control_series, end)) ||
	    a->now_us >= end + p->effect_window_us);
}

static void
write_window(struct text *t, const char *key, const int64_t span_us[2],
    int64_t expected, const struct window_stats *w)
{
	json_object(t, key);
	json_instant(t, "from", span_us[0]);
	json_instant(t, "to", span_us[1]);
	if (expected > 0)
		json_int(t, "expected", expected);
	json_int(t, "count", w->count);
	json_int(t, "bad", w->bad);
	json_double(t, "mean", w->mean);
	json_double(t, "sd", sqrt(w->variance));
	json_double(t, "min", w->min);
	json_double(t, "max", w->max);
	json_object_end(t);
}

static void
write_windows(struct text *t, const struct verify_evidence *e)
{
	const struct effect_windows *w = &e->windows;

	write_window(t, "before", e->before_us,
	    promised(e->series, e->before_us), &w->before);
	write_window(t, "after", e->after_us, promised(e->series, e->after_us),
	    &w->after);
	if (!w->controlled)
		return;
	json_object(t, "control");
	if (e->control != NULL) {
		json_string(t, "node", e->control->node);
		json_string(t, "metric", e->control->metric);
	}
	write_window(t, "before", e->before_us,
	    promised(e->control, e->before_us), &w->control_before);
	write_window(t, "after", e->after_us, promised(e->control, e->after_us),
	    &w->control_after);
	json_object_end(t);
}

static void
write_estimate(struct text *t, const struct verify_evidence *e)
{
	const struct effect_estimate *x = &e->estimate;

	json_double(t, "change", x->change);
	if (e->windows.controlled)
		json_double(t, "control_change", x->control_change);
	json_double(t, "effect", x->effect);
	json_object(t, "test");
	json_string(t, "name", TEST_NAME);
	json_string(t, "source", TEST_SOURCE);
	json_double(t, "confidence", 0.95);
	json_double(t, "standard_error", x->se);
	json_double(t, "degrees_of_freedom", x->df);
	json_double(t, "t", x->t);
	json_double(t, "low", x->low);
	json_double(t, "high", x->high);
	json_object_end(t);
}

static char *
verdict(struct act *a, const struct plan *p, const struct verify_evidence *e,
    enum plan_event event)
{
	const struct fsm_row *row = fsm_find(&plan_fsm, PLAN_VERIFYING, event);
	struct text t;

	text_init(&t, 8192);
	json_object(&t, NULL);
	json_string(&t, "verdict", plan_state_name(row->to));
	if (e->reason != NULL)
		json_string(&t, "reason", e->reason);
	json_string(&t, "direction", direction_name(p->effect_direction));
	json_double(&t, "least", p->effect_least);
	json_double(&t, "dwell_s", (double)p->dwell_us / US_PER_SECOND);
	if (e->estimated)
		write_estimate(&t, e);
	if (p->effect_series != 0 && p->approved_us != INSTANT_NONE)
		write_windows(&t, e);
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
look(struct act *a, int32_t series, const struct verify_evidence *e,
    struct window_stats *ret_before, struct window_stats *ret_after)
{
	const struct telemetry_port *tm = &a->ports->telemetry;
	enum err err = tm->window(tm->self, series, e->before_us[0],
	    e->before_us[1], ret_before, a->info);

	if (err != ERR_OK)
		return (err);
	return (tm->window(tm->self, series, e->after_us[0], e->after_us[1],
	    ret_after, a->info));
}

static enum err
gather(struct act *a, const struct plan *p, struct verify_evidence *e)
{
	struct effect_windows *w = &e->windows;
	enum err err;

	if (p->effect_series == 0 || p->approved_us == INSTANT_NONE)
		return (ERR_OK);
	set_spans(p, e);
	e->series = knowledge_series(a->knowledge, p->effect_series);
	err = look(a, p->effect_series, e, &w->before, &w->after);
	if (err != ERR_OK || p->control_series == 0)
		return (err);
	w->controlled = true;
	e->control = knowledge_series(a->knowledge, p->control_series);
	return (look(
	    a, p->control_series, e, &w->control_before, &w->control_after));
}

static enum err
verify_one(struct act *a, const struct plan *p)
{
	const struct notifier_port *notifier = &a->ports->notifier;
	struct verify_evidence e = {0};
	enum plan_event event;
	char *facts;
	enum err err;

	if ((err = gather(a, p, &e)) != ERR_OK)
		return (err);
	event = verify_judge(p, &e);
	facts = verdict(a, p, &e, event);
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
