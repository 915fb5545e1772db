/*
 * lab_detect: what the two ways of judging a file share.
 *
 * Runs on: penstock-lab. Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_LAB_DETECT_H
#define PENSTOCK_CMD_LAB_DETECT_H

#include "cmd/lab_csv.h"
#include "cmd/lab_explain.h"

struct detect_settings {
	const char *input, *output, *network, *explain, *zone;
	int64_t train_until_us; /* INSTANT_NONE: not given */
	/* False alarms of each series, 0: one; of a system, 0: as learnt. */
	double a_week;
	bool joint, time;
};

/* Judges the system as a whole, once a step of time. */
bool lab_joint(const struct detect_settings *, struct lab_csv *, FILE *out,
    struct explain *);

#endif
