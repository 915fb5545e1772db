#include "model/outlier.h"

#include <math.h>
#include <string.h>

#define MAD_TO_SIGMA	1.4826 /* 1 / Phi^-1(3/4) */
#define MEANAD_TO_SIGMA 1.2533 /* sqrt(pi / 2) */

static double
middle(double lower, double upper)
{
	return (lower + (upper - lower) / 2);
}

static void
insert(struct outlier_window *w, double value)
{
	int i;

	for (i = w->n++; i > 0 && w->sorted[i - 1] > value; i--)
		w->sorted[i] = w->sorted[i - 1];
	w->sorted[i] = value;
}

static void
drop(struct outlier_window *w, double value)
{
	int i;

	for (i = 0; i < w->n - 1; i++)
		if (memcmp(&w->sorted[i], &value, sizeof(value)) == 0)
			break;
	w->n--;
	memmove(&w->sorted[i], &w->sorted[i + 1],
	    (size_t)(w->n - i) * sizeof(value));
}

void
outlier_window_init(struct outlier_window *w, const struct series_state *s)
{
	int i;

	w->n = 0;
	for (i = 0; i < s->outlier_n; i++)
		insert(w, s->outlier_values[i]);
}

/* Median of |w - m|: deviations rise from the middle outwards, so the smaller
 * of the next ones on either side is the next of all. */
static double
deviation(const struct outlier_window *w, double m)
{
	int hi = w->n / 2, lo = hi - 1, i;
	double left, right, next = 0, last = 0;

	for (i = 0; i <= w->n / 2; i++) {
		last = next;
		left = lo >= 0 ? m - w->sorted[lo] : INFINITY;
		right = hi < w->n ? w->sorted[hi] - m : INFINITY;
		next = left < right ? left : right;
		if (left < right)
			lo--;
		else
			hi++;
	}
	return (w->n % 2 != 0 ? next : middle(last, next));
}

static double
mean_deviation(const struct outlier_window *w, double m)
{
	double sum = 0;
	int i;

	for (i = 0; i < w->n; i++)
		sum += fabs(w->sorted[i] - m);
	return (sum / w->n);
}

enum direction
outlier_judge(double k, const struct outlier_window *w, double value,
    struct outlier_stats *ret_stats)
{
	struct outlier_stats st = {.n = w->n};

	*ret_stats = st;
	if (st.n < OUTLIER_LEAST)
		return (DIRECTION_NONE);
	st.median = w->sorted[st.n / 2];
	if (st.n % 2 == 0)
		st.median = middle(w->sorted[st.n / 2 - 1], st.median);
	st.sigma = MAD_TO_SIGMA * deviation(w, st.median);
	if (st.sigma <= 0)
		st.sigma = MEANAD_TO_SIGMA * mean_deviation(w, st.median);
	*ret_stats = st;
	if (st.sigma <= 0 || fabs(value - st.median) <= k * st.sigma)
		return (DIRECTION_NONE);
	return (value > st.median ? DIRECTION_HIGH : DIRECTION_LOW);
}

void
outlier_remember(struct series_state *s, struct outlier_window *w, double value)
{
	double *place = &s->outlier_values[s->outlier_head];

	if (s->outlier_n < OUTLIER_WINDOW)
		s->outlier_n++;
	else
		drop(w, *place);
	*place = value;
	insert(w, value);
	s->outlier_head = (uint8_t)((s->outlier_head + 1) % OUTLIER_WINDOW);
}
