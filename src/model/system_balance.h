/*
 * system_balance: the mass balance of each tank whose flows are metered.
 *
 *	L(t) - L(t-1) = c + sum_i (b_i F_i(t) + d_i F_i(t-1)) + e(t)
 *	missing = e / |b + d| of the flow that moves the tank most
 *
 * b + d, dt / A of the tank with the flow's sign, is learnt from the flows of
 * the place, those first that go with the tank; how it is shared between them
 * depends on when in a step a meter is read. A balance that leaves more than a fifth of the tank's movement unsaid
 * is none. e is smoothed and its limit learnt as joint.h does it.
 * Reference: mass balance of a district metered area, Farley and Trow 2003,
 * "Losses in water distribution networks", IWA; ridge.h.
 * Runs on: T (fit), C. Frees: nothing, plain values. Units: the signals' own.
 * Errors: ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MODEL_SYSTEM_BALANCE_H
#define PENSTOCK_MODEL_SYSTEM_BALANCE_H

#include "core/err.h"
#include "model/joint_state.h"
#include "model/pack.h"
#include "model/ridge.h"

#define BALANCES_MOST 32
#define BALANCE_FLOWS ((RIDGE_MOST - 1) / 2)

enum balance_metric { BALANCE_NEITHER, BALANCE_OF_FLOW, BALANCE_OF_LEVEL };

struct system_balance {
	size_t level, n, step;
	size_t flow[BALANCE_FLOWS];
	double b[RIDGE_MOST]; /* b, then d, then c: 2 n + 1 */
	double main;	      /* b + d of the flow that moves it most */
	struct joint_signal signal;
	/* the step judged last; 0 where values are missing */
	double ratio, expected, band, missing;
};

/* Rows of n values, and what each of them is. */
struct balance_rows {
	const double *x;
	size_t n, steps;
	const enum balance_metric *metric;
};

enum err system_balance_fit(const struct balance_rows *,
    struct system_balance ret[BALANCES_MOST], size_t *ret_n);
/* Of 1: the threshold. */
double system_balance_judge(
    struct system_balance *, const double *before, const double *now);
/* Of a system of `signals`. */
void
system_balance_pack(struct pack *, struct system_balance *, size_t signals);

#endif
