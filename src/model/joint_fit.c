/* Learning of the joint model: what to expect, and how far off is too far. */
#include "model/joint_state.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION 0.005 /* of the largest value */
#define ERROR	  0.03	/* of the spread */
#define SPREAD	  0.05	/* least scale of an error, of the spread */
#define FOLDS	  4
#define MARGIN	  2.0
#define BETTER	  0.8
#define WANDER	  3.0

/* How fast a level may follow. */
static const double follows[] = {
    0, 1.0 / 512, 1.0 / 256, 1.0 / 128, 1.0 / 64, 1.0 / 32};

/* --- signals ------------------------------------------------------------- */

static void
describe(struct joint_signal *s, const double *x, size_t steps, size_t n)
{
	double sum = 0, squares = 0, largest = 0;
	size_t i, count = 0;

	for (i = 0; i < steps; i++) {
		if (!joint_there(x[i * n]))
			continue;
		sum += x[i * n];
		largest = fmax(largest, fabs(x[i * n]));
		count++;
	}
	s->mean = count > 0 ? sum / (double)count : 0;
	for (i = 0; i < steps; i++)
		if (joint_there(x[i * n]))
			squares += pow(x[i * n] - s->mean, 2);
	s->sd = count > 0 ? sqrt(squares / (double)count) : 0;
	s->judged = count >= steps / 2 && s->sd > 1e-9 * largest;
	if (!s->judged)
		s->sd = 1;
	s->error = fmax(PRECISION * largest / s->sd, ERROR);
}

/* --- regression ---------------------------------------------------------- */

/* Sums of products of rows, one per fold. */
struct grams {
	gsl_matrix *fold[FOLDS], *all, *work;
	size_t steps[FOLDS];
};

static size_t
fold_of(size_t i, size_t steps)
{
	return (i * FOLDS / steps);
}

static void
grams_done(struct grams *g)
{
	int f;

	for (f = 0; f < FOLDS; f++)
		gsl_matrix_free(g->fold[f]);
	gsl_matrix_free(g->all);
	gsl_matrix_free(g->work);
}

static bool
grams_init(struct grams *g, size_t width)
{
	bool ok = true;
	int f;

	memset(g, 0, sizeof(*g));
	for (f = 0; f < FOLDS; f++)
		ok &= (g->fold[f] = gsl_matrix_calloc(width, width)) != NULL;
	ok &= (g->all = gsl_matrix_calloc(width, width)) != NULL;
	ok &= (g->work = gsl_matrix_calloc(width, width)) != NULL;
	return (ok);
}

static void
grams_sum(struct grams *g, struct joint *m, const double *x, size_t steps)
{
	gsl_vector_view row = gsl_vector_view_array(m->row, m->width);
	size_t i, f;

	m->step = 0;
	for (i = 0; i < steps; i++) {
		f = fold_of(i, steps);
		joint_advance(m, x + i * m->n);
		gsl_blas_dsyr(CblasLower, 1, &row.vector, g->fold[f]);
		g->steps[f]++;
	}
	for (f = 0; f < FOLDS; f++)
		gsl_matrix_add(g->all, g->fold[f]);
}

/* Regressions of each signal on all else, without one fold (FOLDS: on all):
 * with P the inverse of all equations, -P(i,j) / P(j,j). One's own place is
 * 0. */
static bool
regress(struct grams *g, const struct joint *m, size_t without, double *weights)
{
	gsl_matrix *a = g->work;
	double steps = 0, e, own;
	size_t i, j;

	gsl_matrix_memcpy(a, g->all);
	if (without < FOLDS)
		gsl_matrix_sub(a, g->fold[without]);
	for (i = 0; i < FOLDS; i++)
		if (i != without)
			steps += (double)g->steps[i];
	for (i = 0; i < m->width; i++) {
		e = i == 0 ? 1e-6 : m->signals[(i - 1) % m->n].error;
		*gsl_matrix_ptr(a, i, i) += steps * e * e;
	}
	if (gsl_linalg_cholesky_decomp1(a) != 0 ||
	    gsl_linalg_cholesky_invert(a) != 0)
		return (false);
	for (j = 0; j < m->n; j++, weights += m->width) {
		own = gsl_matrix_get(a, 1 + j, 1 + j);
		for (i = 0; i < m->width; i++)
			weights[i] = -gsl_matrix_get(a, i, 1 + j) / own;
		weights[1 + j] = 0;
	}
	return (true);
}

/* --- thresholds ---------------------------------------------------------- */

/* Errors of the steps, each from the fit without its own fold. */
static void
hold_out(struct joint *m, const double *x, size_t steps, size_t j,
    double *const weights[FOLDS], double *ret)
{
	size_t i;

	m->step = 0;
	for (i = 0; i < steps; i++) {
		joint_advance(m, x + i * m->n);
		ret[i] = m->missing[j] ? NAN
				       : m->row[1 + j] -
			joint_foretell(
			    m, weights[fold_of(i, steps)] + j * m->width);
	}
}

static void
restart(struct joint_signal *s)
{
	s->smooth = s->level = 0;
	memset(s->past, 0, sizeof(s->past));
}

/* The mean square and the greatest of what lies between, at one speed. */
static void
trial(struct joint_signal *s, const double *e, size_t steps, double *ret_square,
    double *ret_most)
{
	double sum = 0, most = 0, r;
	size_t i;

	restart(s);
	for (i = 0; i < steps; i++) {
		if (isnan(e[i]))
			continue;
		r = joint_follow(s, i, e[i] / s->scale);
		if (i >= JOINT_DELAY)
			sum += r * r;
		most = fmax(most, fabs(r));
	}
	*ret_square = sum / (double)steps;
	*ret_most = most;
}

/* How far off whole quarters were that the fit had not seen, in scales: what
 * moves for longer than was learnt goes on moving. */
static double
wander(const struct joint_signal *s, const double *e, size_t steps)
{
	double sum[FOLDS] = {0}, count[FOLDS] = {0}, squares = 0;
	size_t i, f;

	for (i = 0; i < steps; i++) {
		if (isnan(e[i]))
			continue;
		sum[fold_of(i, steps)] += e[i] / s->scale;
		count[fold_of(i, steps)]++;
	}
	for (f = 0; f < FOLDS; f++)
		if (count[f] > 0)
			squares += pow(sum[f] / count[f], 2);
	return (sqrt(squares / FOLDS));
}

static void
calibrate(struct joint_signal *s, const double *e, size_t steps)
{
	double sum = 0, squares = 0, best = 0, most = 0, v, q, mean;
	double chosen = 0,
	       margin = 1 + MARGIN / sqrt((double)steps / JOINT_SMOOTH);
	size_t i, count = 0;

	for (i = 0; i < steps; i++)
		if (!isnan(e[i])) {
			sum += e[i];
			squares += e[i] * e[i];
			count++;
		}
	mean = count > 0 ? sum / (double)count : 0;
	s->scale = count > 0
	    ? sqrt(fmax(0, squares / (double)count - mean * mean))
	    : 0;
	s->scale = fmax(fmax(s->scale, SPREAD), s->error);
	for (i = 0; i < sizeof(follows) / sizeof(follows[0]); i++) {
		s->follow = follows[i];
		trial(s, e, steps, &v, &q);
		if (i == 0 || v < best * (chosen > 0 ? 1 : BETTER)) {
			best = v;
			most = q;
			chosen = follows[i];
		}
	}
	s->follow = chosen;
	s->limit = fmax(most, 2 / sqrt(JOINT_SMOOTH)) * margin;
	if (chosen <= 0)
		s->limit += WANDER * wander(s, e, steps);
	trial(s, e, steps, &v, &q); /* where the level has come to */
}

static bool
learn(struct joint *m, struct grams *g, const double *x, size_t steps)
{
	double *held[FOLDS] = {NULL}, *e = malloc(steps * sizeof(*e));
	bool ok = e != NULL && regress(g, m, FOLDS, m->weights);
	size_t j, f;

	for (f = 0; f < FOLDS && ok; f++) {
		held[f] = malloc(m->n * m->width * sizeof(**held));
		ok = held[f] != NULL && regress(g, m, f, held[f]);
	}
	for (j = 0; j < m->n && ok; j++) {
		if (!m->signals[j].judged)
			continue;
		hold_out(m, x, steps, j, held, e);
		calibrate(&m->signals[j], e, steps);
	}
	for (f = 0; f < FOLDS; f++)
		free(held[f]);
	free(e);
	return (ok);
}

enum err
joint_fit(const double *x, size_t steps, size_t n, struct joint **ret)
{
	struct joint *m;
	struct grams g;
	size_t j;
	bool ok;

	if (n < 2 || n > JOINT_SIGNALS_MOST || steps < JOINT_STEPS_LEAST)
		return (ERR_INVALID);
	if ((m = joint_make(n)) == NULL)
		return (ERR_NO_MEMORY);
	for (j = 0; j < n; j++)
		describe(&m->signals[j], x + j, steps, n);
	ok = grams_init(&g, m->width);
	if (ok) {
		grams_sum(&g, m, x, steps);
		ok = learn(m, &g, x, steps);
	}
	grams_done(&g);
	if (!ok) {
		joint_free(m);
		return (ERR_NO_MEMORY);
	}
	*ret = m;
	return (ERR_OK);
}
