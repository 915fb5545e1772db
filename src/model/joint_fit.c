/* Learning of the joint model: what to expect, and how far off is too far. */
#include "model/joint_state.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION 0.005 /* of the largest value */
#define ERROR	  0.03	/* of the spread */
#define EVENT	  (4 * JOINT_DELAY)
#define ODD_MOST  0.25 /* share of rows that may be left out */

/* What is learnt from: rows of n, and those that are left out of it. */
struct rows {
	const double *x;
	size_t n, steps;
	bool *left;
};

/* --- signals ------------------------------------------------------------- */

/* Judged is what half of the rows with anything have; `there` are those. */
static void
describe(struct joint_signal *s, const double *x, const struct rows *rows,
    size_t there)
{
	const size_t steps = rows->steps, n = rows->n;
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
	s->judged = count >= there / 2 && s->sd > 1e-9 * largest;
	if (!s->judged)
		s->sd = 1;
	s->error = fmax(PRECISION * largest / s->sd, ERROR);
}

/* --- regression ---------------------------------------------------------- */

/* Sums of products of rows, one per fold. */
struct grams {
	gsl_matrix *fold[JOINT_FOLDS], *all, *work;
	size_t steps[JOINT_FOLDS];
};

static void
grams_done(struct grams *g)
{
	int f;

	for (f = 0; f < JOINT_FOLDS; f++)
		gsl_matrix_free(g->fold[f]);
	gsl_matrix_free(g->all);
	gsl_matrix_free(g->work);
}

static bool
grams_init(struct grams *g, size_t width)
{
	bool ok = true;
	int f;

	/* It would abort() the process. */
	(void)gsl_set_error_handler_off();
	memset(g, 0, sizeof(*g));
	for (f = 0; f < JOINT_FOLDS; f++)
		ok &= (g->fold[f] = gsl_matrix_calloc(width, width)) != NULL;
	ok &= (g->all = gsl_matrix_calloc(width, width)) != NULL;
	ok &= (g->work = gsl_matrix_calloc(width, width)) != NULL;
	return (ok);
}

static void
grams_sum(struct grams *g, struct joint *m, const struct rows *rows)
{
	gsl_vector_view row = gsl_vector_view_array(m->row, m->width);
	size_t i, f;

	m->step = 0;
	gsl_matrix_set_zero(g->all);
	for (f = 0; f < JOINT_FOLDS; f++) {
		gsl_matrix_set_zero(g->fold[f]);
		g->steps[f] = 0;
	}
	for (i = 0; i < rows->steps; i++) {
		f = joint_fold(i, rows->steps);
		joint_advance(m, rows->x + i * m->n);
		if (rows->left[i])
			continue;
		gsl_blas_dsyr(CblasLower, 1, &row.vector, g->fold[f]);
		g->steps[f]++;
	}
	for (f = 0; f < JOINT_FOLDS; f++)
		gsl_matrix_add(g->all, g->fold[f]);
}

/* Regressions of each signal on all else, without one fold (JOINT_FOLDS: on all):
 * with P the inverse of all equations, -P(i,j) / P(j,j). One's own place is
 * 0. */
static bool
regress(struct grams *g, const struct joint *m, size_t without, double *weights)
{
	gsl_matrix *a = g->work;
	double steps = 0, e, own;
	size_t i, j;

	gsl_matrix_memcpy(a, g->all);
	if (without < JOINT_FOLDS)
		gsl_matrix_sub(a, g->fold[without]);
	for (i = 0; i < JOINT_FOLDS; i++)
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
hold_out(struct joint *m, const struct rows *rows, size_t j,
    double *const weights[JOINT_FOLDS], double *ret)
{
	size_t i, f;

	m->step = 0;
	for (i = 0; i < rows->steps; i++) {
		f = joint_fold(i, rows->steps);
		joint_advance(m, rows->x + i * m->n);
		ret[i] = m->missing[j] || rows->left[i] ? NAN
							: m->row[1 + j] -
			joint_foretell(m, weights[f] + j * m->width);
	}
}

static bool
learn(struct joint *m, struct grams *g, const struct rows *rows,
    const struct joint_errors *e)
{
	double *held[JOINT_FOLDS] = {NULL};
	bool ok;
	size_t j, f;

	grams_sum(g, m, rows);
	ok = regress(g, m, JOINT_FOLDS, m->weights);
	for (f = 0; f < JOINT_FOLDS && ok; f++) {
		held[f] = malloc(m->n * m->width * sizeof(**held));
		ok = held[f] != NULL && regress(g, m, f, held[f]);
	}
	memset(e->ratio, 0, rows->steps * sizeof(*e->ratio));
	for (j = 0; j < m->n && ok; j++) {
		if (!m->signals[j].judged)
			continue;
		hold_out(m, rows, j, held, e->e);
		joint_calibrate(&m->signals[j], e);
	}
	for (f = 0; f < JOINT_FOLDS; f++)
		free(held[f]);
	return (ok);
}

/* --- rows ---------------------------------------------------------------- */

/* How many rows are not left out; 0: all of them lie in one quarter, which
 * nothing else foretells. */
static size_t
kept(const struct rows *rows)
{
	size_t fold[JOINT_FOLDS] = {0}, sum = 0, i;

	for (i = 0; i < rows->steps; i++) {
		fold[joint_fold(i, rows->steps)] += !rows->left[i];
		sum += !rows->left[i];
	}
	for (i = 0; i < JOINT_FOLDS; i++)
		if (fold[i] == sum)
			return (0);
	return (sum);
}

/* Rows without any value, as of a gap. */
static void
leave_empty(const struct rows *rows)
{
	size_t i, j;

	for (i = 0; i < rows->steps; i++) {
		for (j = 0; j < rows->n; j++)
			if (joint_there(rows->x[i * rows->n + j]))
				break;
		rows->left[i] = j == rows->n;
	}
}

/* Leaves out what is odd, with what smoothing draws along and what a level
 * that followed took for usual in between; whether there is any, and little
 * enough to be an event and not the way of the place. */
static bool
leave_odd(const struct rows *rows, const double *ratio)
{
	const size_t there = kept(rows);
	size_t i, k, odd = 0, last = SIZE_MAX;

	for (i = 0; i < rows->steps; i++)
		odd += ratio[i] > 1;
	if (odd == 0 || (double)odd > ODD_MOST * (double)rows->steps)
		return (false);
	for (i = 0; i < rows->steps; i++) {
		if (!(ratio[i] > 1))
			continue;
		k = last != SIZE_MAX && i - last <= EVENT
		    ? last
		    : i - (i < JOINT_SMOOTH ? i : JOINT_SMOOTH - 1);
		for (; k <= i; k++)
			rows->left[k] = true;
		last = i;
	}
	if (kept(rows) >= there / 2)
		return (true);
	leave_empty(rows);
	return (false);
}

static bool
fit(struct joint *m, const struct rows *rows, const struct joint_errors *e)
{
	struct grams g;
	bool ok;

	ok = grams_init(&g, m->width) && learn(m, &g, rows, e);
	if (ok && leave_odd(rows, e->ratio))
		ok = learn(m, &g, rows, e);
	grams_done(&g);
	return (ok);
}

enum err
joint_fit(const double *x, size_t steps, size_t n, struct joint **ret)
{
	struct rows rows = {.x = x, .n = n, .steps = steps};
	struct joint_errors e = {.steps = steps};
	struct joint *m;
	size_t j, there;
	bool ok;

	if (n < 2 || n > JOINT_SIGNALS_MOST || steps < JOINT_STEPS_LEAST)
		return (ERR_INVALID);
	if ((rows.left = calloc(steps, sizeof(*rows.left))) == NULL ||
	    (m = joint_make(n)) == NULL) {
		free(rows.left);
		return (ERR_NO_MEMORY);
	}
	leave_empty(&rows);
	if ((there = kept(&rows)) < JOINT_STEPS_LEAST) {
		free(rows.left);
		joint_free(m);
		return (ERR_INVALID);
	}
	m->learnt = there;
	for (j = 0; j < n; j++)
		describe(&m->signals[j], x + j, &rows, there);
	e.e = calloc(steps, sizeof(*e.e));
	e.ratio = calloc(steps, sizeof(*e.ratio));
	ok = e.e != NULL && e.ratio != NULL && fit(m, &rows, &e);
	free(rows.left);
	free(e.e);
	free(e.ratio);
	if (ok)
		*ret = m;
	else
		joint_free(m);
	return (ok ? ERR_OK : ERR_NO_MEMORY);
}
