/*
 * alarms: moves alarms on: what was raised or cleared in this cycle, and what
 * time alone brings about: shelves that are over, escalation, priority,
 * suppression. Within the unit of work of Analyze, after it. Looks only at
 * what turned or is due.
 *
 * Runs on: C. Frees: nothing; all of it lives in the cycle's arena. Errors:
 * those of the port, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MAPE_ALARMS_H
#define PENSTOCK_MAPE_ALARMS_H

#include "mape/act.h"

enum err alarms_move(struct act *);

#endif
