/*
 * walks: what must hold of a twin's decisions at any time between two units
 * of work: each subject's recorded moves are one walk through its transition
 * table and lead to the state it is in; a link has at most one live plan;
 * and nothing the twin itself calls a violation happened.
 *
 * Runs on: tests. Frees: nothing; zeroed is its beginning.
 */
#ifndef PENSTOCK_TESTS_SIM_WALKS_H
#define PENSTOCK_TESTS_SIM_WALKS_H

#include "store/twin.h"

enum walks_subject { WALKS_ANOMALY, WALKS_ALARM, WALKS_PLAN, WALKS_COMMAND };

struct walks {
	size_t seen; /* transitions so far */
	unsigned char at[WALKS_COMMAND + 1][TWIN_ANOMALIES]; /* by id */
};

/* The first breach since the last look; ret is left alone if there is none. */
void walks_check(struct walks *, const struct twin *, char ret[static 200]);

/* Anomalies of a type; commands that were sent more than once, or asked about.
 */
int walks_anomalies(const struct twin *, enum anomaly_type);
int walks_hard(const struct twin *, bool asked);

#endif
