/*
 * fsm: transition tables as data. One row per allowed move, each with an id
 * that is stored with every decision (house rule 9).
 *
 * Runs on: C. States and events are small ints of the owner's enums.
 */
#ifndef PENSTOCK_CORE_FSM_H
#define PENSTOCK_CORE_FSM_H

#include <stddef.h>

/* As `from`, any state; as `to`, the same: the subject stays where it is. */
#define FSM_ANY (-1)

struct fsm_row {
	const char *id; /* "P3" */
	int from, event, to;
};

struct fsm {
	const char *name;
	const struct fsm_row *rows;
	size_t nrows;
	const char *const *states; /* names, in enum order */
	size_t nstates;
	const char *const *events;
	size_t nevents;
};

/* The row for (from, event), NULL if the move is not allowed. */
const struct fsm_row *fsm_find(const struct fsm *, int from, int event);
/* The state's number by name, -1 if there is none. */
int fsm_state(const struct fsm *, const char *name);

#endif
