#include "model/ridge.h"

#include <math.h>
#include <string.h>

void
ridge_init(struct ridge *r, size_t k)
{
	memset(r, 0, sizeof(*r));
	r->k = k;
}

void
ridge_add(struct ridge *r, const double *x, double y, double weight)
{
	size_t i, j;

	for (i = 0; i < r->k; i++) {
		const double wx = weight * x[i];

		for (j = 0; j <= i; j++)
			r->a[i][j] += wx * x[j];
		r->b[i] += wx * y;
	}
	r->rows++;
}

/* In place: the lower triangle becomes L of L L'. */
static bool
decompose(double a[RIDGE_MOST][RIDGE_MOST], size_t k)
{
	size_t i, j, m;

	for (j = 0; j < k; j++) {
		for (i = j; i < k; i++) {
			double sum = a[i][j];

			for (m = 0; m < j; m++)
				sum -= a[i][m] * a[j][m];
			if (i > j)
				a[i][j] = sum / a[j][j];
			else if (sum > 0)
				a[j][j] = sqrt(sum);
			else
				return (false);
		}
	}
	return (true);
}

bool
ridge_solve(const struct ridge *r, double lambda, double *ret)
{
	double a[RIDGE_MOST][RIDGE_MOST], x[RIDGE_MOST], trace = 0;
	size_t i, j;

	memcpy(a, r->a, sizeof(a));
	for (i = 0; i < r->k; i++)
		trace += a[i][i];
	for (i = 0; i < r->k; i++)
		a[i][i] += lambda * trace / (double)r->k;
	if (r->rows == 0 || !(trace > 0) || !decompose(a, r->k))
		return (false);
	for (i = 0; i < r->k; i++) {
		x[i] = r->b[i];
		for (j = 0; j < i; j++)
			x[i] -= a[i][j] * x[j];
		x[i] /= a[i][i];
	}
	for (i = r->k; i-- > 0;) {
		for (j = i + 1; j < r->k; j++)
			x[i] -= a[j][i] * x[j];
		x[i] /= a[i][i];
	}
	memcpy(ret, x, r->k * sizeof(*x));
	return (true);
}
