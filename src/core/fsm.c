#include "core/fsm.h"

#include <string.h>

const struct fsm_row *
fsm_find(const struct fsm *fsm, int from, int event)
{
	const struct fsm_row *r = fsm->rows, *end = r + fsm->nrows;

	for (; r < end; r++)
		if ((r->from == from || r->from == FSM_ANY) &&
		    r->event == event)
			return (r);
	return (NULL);
}

int
fsm_state(const struct fsm *fsm, const char *name)
{
	size_t i;

	for (i = 0; i < fsm->nstates; i++)
		if (strcmp(fsm->states[i], name) == 0)
			return ((int)i);
	return (-1);
}
