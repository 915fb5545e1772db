#include "model/outlier.h"

#include <math.h>
#include <string.h>

#define MAD_TO_SIGMA	1.4826 /* 1 / Phi^-1(3/4) */
#define MEANAD_TO_SIGMA 1.2533 /* sqrt(pi / 2) */

/* Hoare's FIND: afterwards v[k] is the k-th smallest, smaller ones before. */
static double
kth(double *v, int n, int k)
{
	int lo = 0, hi = n - 1, i, j;
	double pivot, swap;

	while (lo < hi) {
		pivot = v[k];
		i = lo;
		j = hi;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (pivot < v[j])
				j--;
			if (i <= j) {
				swap = v[i];
				v[i++] = v[j];
				v[j--] = swap;
			}
		}
		if (j < k)
			lo = i;
		if (k < i)
			hi = j;
	}
	return (v[k]);
}

static double
median(double *v, int n)
{
	double upper = kth(v, n, n / 2), lower;
	int i;

	if (n % 2 != 0)
		return (upper);
	lower = v[0];
	for (i = 1; i < n / 2; i++)
		lower = fmax(lower, v[i]);
	return (lower + (upper - lower) / 2);
}

enum direction
outlier_judge(double k, const struct series_state *s, double value,
    struct outlier_stats *ret_stats)
{
	struct outlier_stats st = {.n = s->outlier_n};
	double w[OUTLIER_WINDOW], sum = 0;
	int i;

	*ret_stats = st;
	if (st.n < OUTLIER_LEAST)
		return (DIRECTION_NONE);
	memcpy(w, s->outlier_values, (size_t)st.n * sizeof(w[0]));
	st.median = median(w, st.n);
	for (i = 0; i < st.n; i++) {
		w[i] = fabs(w[i] - st.median);
		sum += w[i];
	}
	st.sigma = MAD_TO_SIGMA * median(w, st.n);
	if (st.sigma <= 0)
		st.sigma = MEANAD_TO_SIGMA * sum / st.n;
	*ret_stats = st;
	if (st.sigma <= 0 || fabs(value - st.median) <= k * st.sigma)
		return (DIRECTION_NONE);
	return (value > st.median ? DIRECTION_HIGH : DIRECTION_LOW);
}

void
outlier_remember(struct series_state *s, double value)
{
	s->outlier_values[s->outlier_head] = value;
	s->outlier_head = (uint8_t)((s->outlier_head + 1) % OUTLIER_WINDOW);
	if (s->outlier_n < OUTLIER_WINDOW)
		s->outlier_n++;
}
