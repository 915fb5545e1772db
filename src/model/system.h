/*
 * system: the signals of one place judged together, once per step of time, by
 * four rules, each a ratio of 1 at its threshold:
 *
 *	joint	 each signal given the others (model/joint.h)
 *	control	 a link that works against the network's rules (controls.h)
 *	replay	 a run that is, digit by digit, one from before (replay.h)
 *	balance	 what a tank takes up, given the flows (system_balance.h)
 *	ratio = the greatest;  score = ratio / (ratio + 1)
 *
 * Whoever repeats what was or works against the rules of the place does so on
 * purpose: suspected manipulation. An instrument that fails is wrong by
 * itself; what the water does, several signals tell of.
 *
 * Runs on: T (new, fit, unpack: seconds), C (judging, telling). Frees:
 * system_free(); what system_pack() gives, free(). Units: the signals' own,
 * levels of controls as the signals'; steps; µs. Errors: ERR_INVALID,
 * ERR_NO_MEMORY. Bounds: SYSTEM_SIGNALS_MOST, SYSTEM_CONTROLS_MOST.
 */
#ifndef PENSTOCK_MODEL_SYSTEM_H
#define PENSTOCK_MODEL_SYSTEM_H

#include "core/err.h"
#include "model/controls.h"
#include "model/joint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSTEM_SIGNALS_MOST  JOINT_SIGNALS_MOST
#define SYSTEM_CONTROLS_MOST 1024
#define SYSTEM_PARTS_MOST    2048

/* Names bind controls: node PU1, metric status; node T1, metric level; or
 * nodes S_PU1 and L_T1. Metrics flow and level, or nodes F_… and L_…, make
 * balances. Not kept. */
struct system_signal {
	const char *node, *metric;
};

enum system_rule {
	SYSTEM_JOINT,
	SYSTEM_CONTROL,
	SYSTEM_REPLAY,
	SYSTEM_BALANCE,
	SYSTEM_RULE_COUNT
};

enum system_look {
	SYSTEM_UNTOLD,
	SYSTEM_SENSOR,	/* sensor fault */
	SYSTEM_PROCESS, /* process event */
	SYSTEM_MANIPULATION,
	SYSTEM_LOOK_COUNT
};

/* What adds to the ratio of the step judged last. */
struct system_part {
	size_t signal;
	enum system_rule rule;
	double ratio, value;
	double expected, band; /* NaN: not known */
	double share;	       /* of all; those of one step sum to 1 */
	double
	    missing;  /* flow: what came (below 0: went) unseen; of a balance */
	uint32_t ago; /* readings; of a replay */
	const struct control *control; /* whose `node` moved; the system's */
};

struct system;

/* No signals yet, or n; system_add() gives more, for good. */
enum err system_new(const struct system_signal *, size_t n,
    const struct control *, size_t ncontrols, struct system **ret);
void system_free(struct system *);
/* ERR_INVALID: more than SYSTEM_SIGNALS_MOST. */
enum err system_add(struct system *, const struct system_signal *);
/* Which signals a control is bound to; false: not to both it needs. -1: none */
bool system_bound(
    const struct system *, size_t control, int *ret_status, int *ret_level);
/* How many false alarms a step may bring, what is judged jointly; 0, as at
 * first: by what was learnt alone. Holds for fits to come, too. */
void system_target(struct system *, double alarms_a_step);
size_t system_signals(const struct system *);
/* x: rows of as many values as there are signals, oldest first, NaN where
 * there is none. The first fit learns controls and replays from the rows, too;
 * a later one only what is judged jointly; a control that a quarter of the rows
 * contradict is bound no longer. ERR_INVALID: too few signals or
 * rows to be judged jointly; the rest is learnt all the same. */
enum err system_fit(struct system *, const double *x, size_t steps);
/* One step, times rising; now: as many values as signals. Above 1: an alarm. */
double system_judge(struct system *, int64_t t_us, const double *now);
double system_score(double ratio);
/* Replays, controls and balances as they came in, then the rest, greatest first; only
 * while there is an alarm. At most `most` are written. */
size_t
system_parts(const struct system *, struct system_part *ret, size_t most);
enum system_look system_looks_like(const struct system *);
/* The step since which it alarms without a break; INSTANT_NONE: it does not. */
int64_t system_since(const struct system *);

/* Words of the wire: "joint", …; "", "sensor fault", … */
const char *system_rule_name(enum system_rule);
const char *system_look_name(enum system_look);

/* Model and running state: what is unpacked goes on as if nothing had been.
 * ERR_INVALID: not such bytes, or of another version. */
enum err
system_pack(const struct system *, unsigned char **ret, size_t *ret_len);
enum err system_unpack(const unsigned char *, size_t len, struct system **ret);

#endif
