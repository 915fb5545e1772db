/*
 * system_state: what a system remembers, for the files of system.h alone.
 *
 * Runs on: C. Frees: system_free(). Units: see system.h.
 */
#ifndef PENSTOCK_MODEL_SYSTEM_STATE_H
#define PENSTOCK_MODEL_SYSTEM_STATE_H

#include "model/replay.h"
#include "model/system.h"
#include "model/system_balance.h"

#define SYSTEM_REPLAYED 2.0 /* an exact replay, in thresholds */

struct system_control {
	struct control control;
	int status, level; /* signals; -1: not known */
	double ratio;
};

struct system {
	size_t n, ncontrols;
	struct system_control *controls;
	struct replay *replays;
	struct joint *joint; /* NULL: nothing learnt to judge jointly by */
	size_t width;	     /* signals that it knows */
	struct system_balance *balances;
	size_t nbalances;
	bool learnt;
	double target; /* alarms a step */
	/* the step judged last */
	int64_t t_us, since_us;
	int64_t step_us; /* the shortest seen; 0: none yet */
	double ratio;
	size_t alone; /* the signal that is wrong by itself; width: none */
	double now[SYSTEM_SIGNALS_MOST];
	enum balance_metric metric[SYSTEM_SIGNALS_MOST];
	uint32_t ago[SYSTEM_SIGNALS_MOST];
	struct joint_part parts[SYSTEM_SIGNALS_MOST];
};

#endif
