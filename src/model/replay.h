/*
 * replay: a run of readings that is, digit by digit, one from before.
 *
 *	x(t-m+1..t) = x(t-k-m+1..t-k) for some k,  m = REPLAY_RUN
 *
 * What is measured never comes back exactly, unless it hardly moves; so a run
 * of fewer than m - 1 different values proves nothing, and a series that
 * repeats itself in more than 2 % of what is learnt, more than twice or for a
 * moment (a setpoint, a counter, a simulated pattern, coarse readings) is not
 * judged. Runs are known by their hash for about a thousand readings; 40 bits
 * of it are taken for the run itself, which is wrong once in 10^9 readings.
 * Reference: Mo and Sinopoli 2009, "Secure control against replay attacks",
 * Allerton (the attack); the test is direct.
 * Runs on: C. Units: readings. A value type without pointers.
 */
#ifndef PENSTOCK_MODEL_REPLAY_H
#define PENSTOCK_MODEL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_RUN  6
#define REPLAY_SETS 256
#define REPLAY_WAYS 4

struct replay_slot {
	uint32_t tag; /* of the hash */
	uint32_t at;  /* 0: empty */
};

struct replay {
	struct replay_slot slot[REPLAY_SETS][REPLAY_WAYS];
	double run[REPLAY_RUN];
	uint32_t n;
	/* while learning: readings, repeats and how often those began; how
	 * long ago the last one was */
	uint32_t learnt, repeats, events, lag;
};

void replay_init(struct replay *);
/* Whether it is a series that repeats itself, and is not judged. */
bool replay_repeats(const struct replay *);
/* How many readings ago the same run ended; 0: never, or not to be judged. */
uint32_t replay_judge(struct replay *, double value, bool learning);

#endif
