/*
 * joint_state: what the joint model knows and remembers, for the files of
 * joint.h alone.
 *
 * Runs on: C. Frees: joint_free(). Units: signals as (x - mean) / sd, errors
 * as e / scale.
 */
#ifndef PENSTOCK_MODEL_JOINT_STATE_H
#define PENSTOCK_MODEL_JOINT_STATE_H

#include "model/joint.h"

#define JOINT_SMOOTH 6
#define JOINT_DELAY  (2 * JOINT_SMOOTH)
#define JOINT_FOLDS  4

struct joint_signal {
	double mean, sd, error; /* error: of the instrument, in sd */
	double scale, limit, follow;
	/* in limits */
	double tail;  /* mean excess of the highest peaks learnt */
	double top;   /* the highest peak that is usual */
	double peak;  /* of what is not over yet */
	double alarm; /* the threshold of this step */
	double smooth, level, past[JOINT_DELAY];
	double whole; /* smooth, unclipped */
	double off;   /* its deviation from the level, at this step */
	bool judged;
	size_t calm; /* steps; that long it has been over */
};

struct joint {
	size_t n, width;     /* width: 1 + 2 n */
	size_t step, learnt; /* learnt: steps known, judged ones, too */
	double target;	     /* alarms a step; 0: by what was learnt */
	struct joint_signal *signals;
	double *weights; /* n rows of width; one's own place in it is 0 */
	double *row;	 /* 1, now, before */
	bool *missing;
};

/* NULL: out of memory. */
struct joint *joint_make(size_t n);
/* What no float can hold is no reading either. */
bool joint_there(double);
/* Moves the row on by a step. A signal without a value keeps its last one and
 * is not judged; one that never moved while it was learnt says nothing. */
void joint_advance(struct joint *, const double *x);
double joint_foretell(const struct joint *, const double *weights);
/* One step of smoothing and of the level; what lies between them. */
double joint_follow(struct joint_signal *, size_t step, double e);

/* One signal's errors, NaN: none, and what of 1, the threshold, each step came
 * to of all signals gone through. */
struct joint_errors {
	size_t steps;
	double *e, *ratio;
};

size_t joint_fold(size_t i, size_t steps);
/* Scale, speed, limit and tail, and where the level has come to; e->e is used
 * up. */
void joint_calibrate(struct joint_signal *, const struct joint_errors *);
/* By how many tails the threshold lies above the highest peak, if that may be
 * passed so many times in as long as is known; 0: not at all. */
double joint_excess(double passes);
double joint_threshold(const struct joint_signal *, double excess);
/* Takes in what a step came to by the signal's own threshold, and at most. */
void joint_learn_peak(struct joint_signal *, double own, double ratio);

#endif
