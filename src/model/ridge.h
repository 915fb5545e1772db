/*
 * ridge: linear regression with a penalty on the size of the coefficients,
 * from rows that come one at a time.
 *
 *	b = argmin sum_i w_i (y_i - x_i b)^2 + lambda trace(X'WX) / k  |b|^2
 *
 * Solved by Cholesky decomposition of the normal equations; the penalty keeps
 * them positive definite whatever the rows are.
 * Reference: Hoerl and Kennard 1970, "Ridge regression", Technometrics 12(1).
 * Runs on: C. Frees: nothing, a plain value. Units: the caller's. O(k^2) a
 * row, O(k^3) to solve.
 */
#ifndef PENSTOCK_MODEL_RIDGE_H
#define PENSTOCK_MODEL_RIDGE_H

#include <stdbool.h>
#include <stddef.h>

#define RIDGE_MOST 32

struct ridge {
	size_t k, rows;
	double a[RIDGE_MOST][RIDGE_MOST]; /* lower triangle of X'WX */
	double b[RIDGE_MOST];		  /* X'Wy */
};

void ridge_init(struct ridge *, size_t k);
void ridge_add(struct ridge *, const double *x, double y, double weight);
/* False, and nothing written, without rows or with nothing but zeros. */
bool ridge_solve(const struct ridge *, double lambda, double *ret_coefficients);

#endif
