#include "model/system.h"
#include "core/instant.h"
#include "model/system_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOT_OURS 0.25 /* of what is learnt: contradicts a rule */

/* --- names --------------------------------------------------------------- */

/* A signal is the network element `id`'s if its node is called so, perhaps
 * with its kind before: T1 and L_T1, PU1 and S_PU1. */
static bool
names(const struct system_signal *s, const char *id, char kind,
    const char *metric)
{
	if (strcasecmp(s->node, id) == 0)
		return (strcasecmp(s->metric, metric) == 0);
	return ((s->node[0] | 0x20) == kind && s->node[1] == '_' &&
	    strcasecmp(s->node + 2, id) == 0);
}

static void
bind(struct system *y, const struct system_signal *s, int signal)
{
	size_t i;

	for (i = 0; i < y->ncontrols; i++) {
		struct system_control *c = &y->controls[i];

		if (names(s, c->control.link, 's', "status"))
			c->status = signal;
		if (names(s, c->control.node, 'l', "level"))
			c->level = signal;
	}
}

bool
system_bound(
    const struct system *y, size_t control, int *ret_status, int *ret_level)
{
	const struct system_control *c = &y->controls[control];

	*ret_status = c->status;
	*ret_level = c->level;
	return (c->status >= 0 && c->level >= 0);
}

static enum balance_metric
metric_of(const struct system_signal *s)
{
	bool prefix = s->node[0] != '\0' && s->node[1] == '_';

	if (strcasecmp(s->metric, "level") == 0 ||
	    (prefix && (s->node[0] | 0x20) == 'l'))
		return (BALANCE_OF_LEVEL);
	if (strcasecmp(s->metric, "flow") == 0 ||
	    (prefix && (s->node[0] | 0x20) == 'f'))
		return (BALANCE_OF_FLOW);
	return (BALANCE_NEITHER);
}

/* --- the value ----------------------------------------------------------- */

enum err
system_new(const struct system_signal *signals, size_t n,
    const struct control *controls, size_t ncontrols, struct system **ret)
{
	struct system *y;
	enum err e = ERR_OK;
	size_t i;

	if (n > SYSTEM_SIGNALS_MOST || ncontrols > SYSTEM_CONTROLS_MOST)
		return (ERR_INVALID);
	if ((y = calloc(1, sizeof(*y))) == NULL ||
	    (y->controls = calloc(ncontrols + 1, sizeof(*y->controls))) ==
		NULL) {
		free(y);
		return (ERR_NO_MEMORY);
	}
	y->t_us = y->since_us = INSTANT_NONE;
	y->ncontrols = ncontrols;
	for (i = 0; i < ncontrols; i++)
		y->controls[i] = (struct system_control){
		    .control = controls[i], .status = -1, .level = -1};
	for (i = 0; i < n && e == ERR_OK; i++)
		e = system_add(y, &signals[i]);
	if (e == ERR_OK)
		*ret = y;
	else
		system_free(y);
	return (e);
}

void
system_free(struct system *y)
{
	if (y == NULL)
		return;
	joint_free(y->joint);
	free(y->controls);
	free(y->replays);
	free(y->balances);
	free(y);
}

enum err
system_add(struct system *y, const struct system_signal *s)
{
	struct replay *replays;

	if (y->n == SYSTEM_SIGNALS_MOST)
		return (ERR_INVALID);
	replays = realloc(y->replays, (y->n + 1) * sizeof(*replays));
	if (replays == NULL)
		return (ERR_NO_MEMORY);
	y->replays = replays;
	replay_init(&replays[y->n]);
	y->now[y->n] = NAN;
	y->metric[y->n] = metric_of(s);
	bind(y, s, (int)y->n++);
	return (ERR_OK);
}

size_t
system_signals(const struct system *y)
{
	return (y->n);
}

void
system_target(struct system *y, double alarms_a_step)
{
	y->target = alarms_a_step;
	if (y->joint != NULL)
		joint_target(y->joint, alarms_a_step);
}

/* --- judging ------------------------------------------------------------- */

static double
judge_controls(struct system *y, const double *now, bool learn)
{
	double most = 0, excess;
	size_t i;

	for (i = 0; i < y->ncontrols; i++) {
		struct system_control *c = &y->controls[i];

		c->ratio = 0;
		if (c->status < 0 || c->level < 0)
			continue;
		excess =
		    control_excess(&c->control, now[c->status], now[c->level]);
		if (learn)
			control_learn(&c->control, excess);
		else
			c->ratio = control_ratio(&c->control, excess);
		most = fmax(most, c->ratio);
	}
	return (most);
}

static double
judge_replays(struct system *y, const double *now, bool learn)
{
	double most = 0;
	size_t i;

	for (i = 0; i < y->n; i++) {
		y->ago[i] = isnan(now[i])
		    ? 0
		    : replay_judge(&y->replays[i], now[i], learn);
		if (y->ago[i] > 0)
			most = SYSTEM_REPLAYED;
	}
	return (most);
}

/* Microseconds since the step before; 0: there was none. */
static int64_t
since_before(const struct system *y, int64_t t_us)
{
	uint64_t d = (uint64_t)t_us - (uint64_t)y->t_us;

	if (y->t_us == INSTANT_NONE || t_us <= y->t_us)
		return (0);
	return (d > INT64_MAX ? INT64_MAX : (int64_t)d);
}

/* A balance is of a step and the one right before it. */
static double
judge_balances(struct system *y, int64_t t_us, const double *now)
{
	int64_t step_us = since_before(y, t_us);
	double most = 0;
	size_t i;

	if (step_us > 0 && (y->step_us <= 0 || step_us < y->step_us))
		y->step_us = step_us;
	if (step_us == 0 || step_us - y->step_us > y->step_us / 2)
		for (i = 0; i < y->n; i++)
			y->now[i] = NAN;
	for (i = 0; i < y->nbalances; i++)
		most = fmax(
		    most, system_balance_judge(&y->balances[i], y->now, now));
	return (most);
}

/* The signal that is wrong by itself. Not a level that moves as if water came
 * or went unseen: no gauge does that for long. */
static size_t
alone(const struct system *y)
{
	size_t i, one = y->joint != NULL ? joint_alone(y->joint) : y->width;

	for (i = 0; i < y->nbalances; i++)
		if (y->balances[i].level == one && y->balances[i].ratio > 1)
			return (y->width);
	return (one);
}

double
system_judge(struct system *y, int64_t t_us, const double *now)
{
	double ratio = judge_replays(y, now, false);

	ratio = fmax(ratio, judge_controls(y, now, false));
	if (y->joint != NULL)
		ratio = fmax(ratio, joint_judge(y->joint, now, y->parts));
	ratio = fmax(ratio, judge_balances(y, t_us, now));
	if (y->joint != NULL)
		joint_learn(y->joint, y->parts, ratio);
	memcpy(y->now, now, y->n * sizeof(*now));
	y->t_us = t_us;
	y->ratio = ratio;
	y->alone = y->width;
	if (!(ratio > 1))
		y->since_us = INSTANT_NONE;
	else {
		if (y->since_us == INSTANT_NONE)
			y->since_us = t_us;
		y->alone = alone(y);
	}
	return (ratio);
}

double
system_score(double ratio)
{
	return (ratio / (ratio + 1));
}

int64_t
system_since(const struct system *y)
{
	return (y->since_us);
}

/* --- learning ------------------------------------------------------------ */

static enum err
fit_balances(struct system *y, const double *x, size_t steps)
{
	const struct balance_rows rows = {
	    .x = x, .n = y->n, .steps = steps, .metric = y->metric};
	struct system_balance *all = calloc(BALANCES_MOST, sizeof(*all));
	size_t n;

	if (all == NULL || system_balance_fit(&rows, all, &n) != ERR_OK) {
		free(all);
		return (ERR_NO_MEMORY);
	}
	free(y->balances);
	y->balances = all;
	y->nbalances = n;
	return (ERR_OK);
}

/* What the place did not keep to for a quarter of what was learnt is no rule of
 * it: of another place, or its levels are not in metres. */
static void
unbind_others(struct system *y, const double *x, size_t steps)
{
	size_t i, t, known, against;

	for (i = 0; i < y->ncontrols; i++) {
		struct system_control *c = &y->controls[i];

		known = against = 0;
		for (t = 0; t < steps && c->status >= 0 && c->level >= 0; t++) {
			const double status = x[t * y->n + (size_t)c->status],
				     level = x[t * y->n + (size_t)c->level];

			known += !isnan(status) && !isnan(level);
			against +=
			    control_ratio(&c->control,
				control_excess(&c->control, status, level)) > 1;
		}
		if (against > 0 && (double)against >= NOT_OURS * (double)known)
			c->status = c->level = -1;
	}
}

enum err
system_fit(struct system *y, const double *x, size_t steps)
{
	bool first = !y->learnt;
	struct joint *joint;
	enum err e;
	size_t i;

	for (i = 0; i < steps && first; i++) {
		judge_replays(y, x + i * y->n, true);
		judge_controls(y, x + i * y->n, true);
	}
	if (first)
		unbind_others(y, x, steps);
	y->learnt = true;
	if ((e = joint_fit(x, steps, y->n, &joint)) != ERR_OK)
		return (e);
	if ((e = fit_balances(y, x, steps)) != ERR_OK) {
		joint_free(joint);
		return (e);
	}
	joint_free(y->joint);
	y->joint = joint;
	if (first)
		memcpy(y->now, x + (steps - 1) * y->n, y->n * sizeof(*x));
	joint_target(joint, y->target);
	y->alone = y->width = y->n;
	memset(y->parts, 0, sizeof(y->parts));
	return (ERR_OK);
}
