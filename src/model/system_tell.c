/* Why a system alarms: which signals, by which rule, how much of it. */
#include "model/system_state.h"

#include <math.h>

#define TELLING 0.5 /* thresholds: from here on a signal adds to it */

const char *
system_rule_name(enum system_rule rule)
{
	static const char *const names[SYSTEM_RULE_COUNT] = {
	    [SYSTEM_JOINT] = "joint",
	    [SYSTEM_CONTROL] = "control",
	    [SYSTEM_REPLAY] = "replay",
	    [SYSTEM_BALANCE] = "balance"};

	return (names[rule]);
}

const char *
system_look_name(enum system_look look)
{
	static const char *const names[SYSTEM_LOOK_COUNT] = {
	    [SYSTEM_UNTOLD] = "",
	    [SYSTEM_SENSOR] = "sensor fault",
	    [SYSTEM_PROCESS] = "process event",
	    [SYSTEM_MANIPULATION] = "suspected manipulation"};

	return (names[look]);
}

/* Of several signals one that the others know little of could be either. */
enum system_look
system_looks_like(const struct system *y)
{
	size_t i, telling = 0;

	if (!(y->ratio > 1))
		return (SYSTEM_UNTOLD);
	for (i = 0; i < y->n; i++)
		if (y->ago[i] > 0)
			return (SYSTEM_MANIPULATION);
	for (i = 0; i < y->ncontrols; i++)
		if (y->controls[i].ratio > 1)
			return (SYSTEM_MANIPULATION);
	if (y->alone < y->width)
		return (SYSTEM_SENSOR);
	for (i = 0; i < y->nbalances; i++)
		if (y->balances[i].ratio > 1)
			return (SYSTEM_PROCESS);
	for (i = 0; i < y->width; i++)
		telling += y->parts[i].ratio > TELLING;
	return (telling > 1 ? SYSTEM_PROCESS : SYSTEM_UNTOLD);
}

/* The control that the signal works against, ncontrols: none. */
static size_t
broken(const struct system *y, size_t signal)
{
	size_t k = 0;

	while (k < y->ncontrols &&
	    !(y->controls[k].ratio > 1 && y->controls[k].status == (int)signal))
		k++;
	return (k);
}

/* The balance of the tank whose level the signal is, nbalances: none. */
static size_t
balance_of(const struct system *y, size_t signal)
{
	size_t k = 0;

	while (k < y->nbalances && y->balances[k].level != signal)
		k++;
	return (k);
}

static double
open_by(const struct system *y, size_t signal)
{
	size_t k = balance_of(y, signal);

	return (k < y->nbalances ? y->balances[k].ratio : 0);
}

/* What a signal adds, in thresholds, and by which rule. */
static double
weight(const struct system *y, size_t signal, enum system_rule *ret)
{
	size_t k = broken(y, signal);

	if (k < y->ncontrols) {
		*ret = SYSTEM_CONTROL;
		return (y->controls[k].ratio);
	}
	if (y->ago[signal] > 0) {
		*ret = SYSTEM_REPLAY;
		return (SYSTEM_REPLAYED);
	}
	*ret = SYSTEM_JOINT;
	if (y->alone < y->width)
		return (signal == y->alone ? 1 : 0);
	if (open_by(y, signal) > fmax(TELLING, y->parts[signal].ratio)) {
		*ret = SYSTEM_BALANCE;
		return (open_by(y, signal));
	}
	return (y->parts[signal].ratio > TELLING ? y->parts[signal].ratio : 0);
}

/* Where parts go. */
struct out {
	const struct system *y;
	struct system_part *to;
	size_t n, most;
	double all; /* weights */
};

static void
put(struct out *o, struct system_part part)
{
	const struct system *y = o->y;
	enum system_rule rule;
	double w = weight(y, part.signal, &rule);

	if (o->n == o->most)
		return;
	if (rule == part.rule &&
	    (rule != SYSTEM_CONTROL ||
		part.control == &y->controls[broken(y, part.signal)].control))
		part.share = w / o->all;
	part.value = y->now[part.signal];
	o->to[o->n++] = part;
}

static void
put_joint(struct out *o, size_t signal)
{
	const struct joint_part *p = &o->y->parts[signal];

	put(o,
	    (struct system_part){.signal = signal,
		.rule = SYSTEM_JOINT,
		.ratio = p->ratio,
		.expected = p->expected,
		.band = p->band});
}

static void
put_balances(struct out *o)
{
	const struct system *y = o->y;
	size_t i;

	for (i = 0; i < y->nbalances; i++) {
		const struct system_balance *b = &y->balances[i];

		if (b->ratio > TELLING)
			put(o,
			    (struct system_part){.signal = b->level,
				.rule = SYSTEM_BALANCE,
				.ratio = b->ratio,
				.expected = b->expected,
				.band = b->band,
				.missing = b->missing});
	}
}

/* The greatest ratio first. */
static void
put_all_joint(struct out *o)
{
	bool told[SYSTEM_SIGNALS_MOST] = {false};
	const struct joint_part *parts = o->y->parts;
	size_t best, j, width = o->y->width;

	for (;;) {
		for (best = width, j = 0; j < width; j++)
			if (!told[j] &&
			    (parts[j].ratio > TELLING || j == o->y->alone) &&
			    (best == width ||
				parts[j].ratio > parts[best].ratio))
				best = j;
		if (best == width)
			return;
		told[best] = true;
		put_joint(o, best);
	}
}

size_t
system_parts(const struct system *y, struct system_part *ret, size_t most)
{
	struct out o = {.y = y, .to = ret, .most = most};
	enum system_rule rule;
	size_t i;

	if (!(y->ratio > 1))
		return (0);
	for (i = 0; i < y->n; i++)
		o.all += weight(y, i, &rule);
	for (i = 0; i < y->n; i++)
		if (y->ago[i] > 0)
			put(&o,
			    (struct system_part){.signal = i,
				.rule = SYSTEM_REPLAY,
				.ratio = SYSTEM_REPLAYED,
				.expected = NAN,
				.band = NAN,
				.ago = y->ago[i]});
	for (i = 0; i < y->ncontrols; i++)
		if (y->controls[i].ratio > 1)
			put(&o,
			    (struct system_part){
				.signal = (size_t)y->controls[i].status,
				.rule = SYSTEM_CONTROL,
				.ratio = y->controls[i].ratio,
				.expected = y->controls[i].control.open,
				.control = &y->controls[i].control});
	put_balances(&o);
	put_all_joint(&o);
	return (o.n);
}
