/*
 * volumes: steps of a totaliser and integrals of a flow, placed in buckets of
 * time.
 *
 *	V(bucket) = sum of the steps that lie in it
 *	          + v (t - t0) / (t1 - t0) of a step that crosses its bound t
 *	Q(bucket) = sum of (q0 + q1) / 2 (t1 - t0) of readings that follow each
 *	            other, q linear between them
 *
 * The index at a bound between two readings is an estimate and told apart; it
 * is made only where they lie no further apart than `gap`. Over a longer gap
 * a step's volume is known in sum and not by bucket: it stays unplaced, and
 * these buckets have no cover for that time; a step of volume 0 is 0 wherever
 * it is cut. A flow is not integrated over a longer gap at all.
 *
 * Reference: AWWA M36, prorating of meter readings to the period of a water
 * balance (lag time); trapezoidal rule.
 * Runs on: C. Pure. Frees: nothing. Units: m3, m3/h, µs UTC. Errors: none.
 */
#ifndef PENSTOCK_DOMAIN_VOLUMES_H
#define PENSTOCK_DOMAIN_VOLUMES_H

#include "domain/totaliser.h"

#include <stddef.h>
#include <stdint.h>

struct volume_cell {
	double volume;	  /* nothing if covered_us is 0 and points is 0 */
	double estimated; /* of it, prorated at the bucket's bounds */
	int64_t covered_us;
	int32_t points; /* steps that take no time */
	unsigned flags; /* of the steps in it, TOTALISER_… */
};

struct volumes {
	/* The caller's. */
	const int64_t *edges_us; /* n + 1, rising */
	struct volume_cell *cells;
	size_t n;
	int64_t gap_us;
	/* Volume of steps that lie between the first and the last edge and
	 * could not be placed, and how long they are. */
	double unplaced;
	int64_t unplaced_us;
	size_t at; /* its own: time does not fall, or only a little */
};

/* Flags every bucket that has any of from < t <= to, or the instant t. */
void
volumes_flag(struct volumes *, int64_t from_us, int64_t to_us, unsigned flags);
void volumes_step(struct volumes *, const struct totaliser_step *);
/* Two readings of a flow that follow each other. */
void volumes_flow(struct volumes *, int64_t t0_us, double q0_m3h, int64_t t1_us,
    double q1_m3h);

/*
 * Whether the integral of a flow and the totaliser's volume of one bucket say
 * the same:
 *
 *	|Q - V| <= tolerance max(|Q|, |V|) + slack
 *
 * Not provable where either covers less of the bucket than would hide half of
 * the tolerance at an even flow, or a step has no volume.
 */
enum agreement { AGREE, DIFFER, NOT_PROVABLE };
#define AGREEMENTS 3
extern const char *const agreement_names[AGREEMENTS];
enum agreement
volumes_compare(const struct volume_cell *flow, const struct volume_cell *total,
    int64_t width_us, double tolerance, double slack_m3);

#endif
