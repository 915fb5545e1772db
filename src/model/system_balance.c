#include "model/system_balance.h"
#include "model/joint_pack.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LAMBDA 1e-6
#define UNSAID 0.2 /* of the tank's movement, least squares */

/* What a balance is learnt with. */
struct desk {
	const struct balance_rows *rows;
	struct system_balance *b;
	struct ridge *fold; /* one more: all */
	double w[JOINT_FOLDS + 1][RIDGE_MOST];
	double spread[BALANCE_FLOWS], goes[BALANCE_FLOWS];
	bool *left;
	struct joint_errors e;
};

/* The flows of a step and of the one before, each by its spread, and 1;
 * false: some are missing. */
static bool
terms(const struct desk *d, size_t t, double *ret, double *ret_rise)
{
	const struct system_balance *b = d->b;
	const double *now = d->rows->x + t * d->rows->n,
		     *before = now - d->rows->n;
	double sum = 0;
	size_t i;

	if (t == 0)
		return (false);
	*ret_rise = now[b->level] - before[b->level];
	for (i = 0; i < b->n; i++) {
		ret[i] = now[b->flow[i]] / d->spread[i];
		ret[b->n + i] = before[b->flow[i]] / d->spread[i];
		sum += fabs(ret[i]) + fabs(ret[b->n + i]);
	}
	ret[2 * b->n] = 1;
	return (joint_there(sum) && joint_there(*ret_rise));
}

/* The spread of a flow, and how much of the tank's rise goes with it; 0: of
 * too few values, or it never moves. */
static double
spread(const struct balance_rows *r, size_t flow, size_t level, double *ret)
{
	double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, u, v;
	size_t t;

	for (t = 1; t < r->steps; t++) {
		const double *now = r->x + t * r->n, *before = now - r->n;

		u = (now[flow] + before[flow]) / 2;
		v = now[level] - before[level];
		if (!joint_there(u) || !joint_there(v))
			continue;
		n++;
		x += u;
		y += v;
		xx += u * u;
		yy += v * v;
		xy += u * v;
	}
	if (n < (double)r->steps / 2)
		return (0);
	u = xx / n - x / n * (x / n);
	v = yy / n - y / n * (y / n);
	if (!(u > 1e-12 * xx / n) || !(v > 0))
		return (0);
	*ret = fabs(xy / n - x / n * (y / n)) / sqrt(u * v);
	return (sqrt(u));
}

/* Keeps what goes with the tank most, the rest in the order of signals. */
static void
keep(struct desk *d, size_t flow, double moves, double goes)
{
	struct system_balance *b = d->b;
	size_t i, least = 0;

	if (b->n < BALANCE_FLOWS)
		least = b->n++;
	else {
		for (i = 1; i < b->n; i++)
			if (d->goes[i] < d->goes[least])
				least = i;
		if (d->goes[least] >= goes)
			return;
	}
	b->flow[least] = flow;
	d->spread[least] = moves;
	d->goes[least] = goes;
}

static bool
gather(struct desk *d, size_t level)
{
	const struct balance_rows *r = d->rows;
	double moves, goes;
	size_t i;

	memset(d->b, 0, sizeof(*d->b));
	d->b->level = level;
	for (i = 0; i < r->n; i++)
		if (r->metric[i] == BALANCE_OF_FLOW &&
		    (moves = spread(r, i, level, &goes)) > 0)
			keep(d, i, moves, goes);
	return (d->b->n > 0);
}

/* The mean square of the rise; 0: it cannot be learnt. */
static double
solve(struct desk *d)
{
	double x[RIDGE_MOST], rise, squares = 0, n = 0;
	size_t t, f;

	for (f = 0; f <= JOINT_FOLDS; f++)
		ridge_init(&d->fold[f], 2 * d->b->n + 1);
	for (t = 0; t < d->rows->steps; t++) {
		if (d->left[t] || !terms(d, t, x, &rise))
			continue;
		squares += rise * rise;
		n++;
		for (f = 0; f <= JOINT_FOLDS; f++)
			if (f != joint_fold(t, d->rows->steps))
				ridge_add(&d->fold[f], x, rise, 1);
	}
	for (f = 0; f <= JOINT_FOLDS; f++)
		if (!ridge_solve(&d->fold[f], LAMBDA, d->w[f]))
			return (0);
	return (n > 0 ? squares / n : 0);
}

/* Errors of what a fit had not seen, by the spread of the rise; the share of
 * its movement that they are. */
static double
hold_out(struct desk *d, double square)
{
	double x[RIDGE_MOST], rise, e, sum = 0, n = 0;
	size_t t, i;

	d->b->signal.sd = sqrt(square);
	for (t = 0; t < d->rows->steps; t++) {
		const double *w = d->w[joint_fold(t, d->rows->steps)];

		d->e.e[t] = NAN;
		if (d->left[t] || !terms(d, t, x, &rise))
			continue;
		for (e = rise, i = 0; i <= 2 * d->b->n; i++)
			e -= w[i] * x[i];
		d->e.e[t] = e / d->b->signal.sd;
		sum += d->e.e[t] * d->e.e[t];
		n++;
	}
	return (n > 0 ? sum / n : 1);
}

static void
settle(struct desk *d)
{
	struct system_balance *b = d->b;
	const double *w = d->w[JOINT_FOLDS];
	double most = 0;
	size_t i;

	for (i = 0; i < b->n; i++) {
		b->b[i] = w[i] / d->spread[i];
		b->b[b->n + i] = w[b->n + i] / d->spread[i];
		if (fabs(w[i] + w[b->n + i]) > most) {
			most = fabs(w[i] + w[b->n + i]);
			b->main = b->b[i] + b->b[b->n + i];
		}
	}
	b->b[2 * b->n] = w[2 * b->n];
	b->step = d->rows->steps;
}

/* What happened once is left out, and it is learnt again. */
static bool
learn(struct desk *d)
{
	double square;
	size_t t;
	int i;

	memset(d->left, 0, d->rows->steps * sizeof(*d->left));
	for (i = 0; i < 2; i++) {
		if (!((square = solve(d)) > 0) || hold_out(d, square) > UNSAID)
			return (false);
		memset(d->e.ratio, 0, d->e.steps * sizeof(*d->e.ratio));
		joint_calibrate(&d->b->signal, &d->e);
		for (t = 0; t < d->e.steps; t++)
			d->left[t] |= d->e.ratio[t] > 1;
	}
	settle(d);
	return (true);
}

enum err
system_balance_fit(const struct balance_rows *rows,
    struct system_balance ret[BALANCES_MOST], size_t *ret_n)
{
	struct desk d = {.rows = rows, .e.steps = rows->steps};
	size_t i, n = 0;
	bool ok;

	d.fold = calloc(JOINT_FOLDS + 1, sizeof(*d.fold));
	d.left = calloc(rows->steps + 1, sizeof(*d.left));
	d.e.e = calloc(rows->steps + 1, sizeof(*d.e.e));
	d.e.ratio = calloc(rows->steps + 1, sizeof(*d.e.ratio));
	ok = d.fold != NULL && d.left != NULL && d.e.e != NULL &&
	    d.e.ratio != NULL;
	for (i = 0; i < rows->n && ok && n < BALANCES_MOST; i++) {
		d.b = &ret[n];
		if (rows->metric[i] == BALANCE_OF_LEVEL && gather(&d, i) &&
		    learn(&d))
			n++;
	}
	free(d.fold);
	free(d.left);
	free(d.e.e);
	free(d.e.ratio);
	if (ok)
		*ret_n = n;
	return (ok ? ERR_OK : ERR_NO_MEMORY);
}

double
system_balance_judge(
    struct system_balance *b, const double *before, const double *now)
{
	struct joint_signal *s = &b->signal;
	double e = now[b->level] - before[b->level] - b->b[2 * b->n], r;
	size_t i;

	for (i = 0; i < b->n; i++)
		e -= b->b[i] * now[b->flow[i]] +
		    b->b[b->n + i] * before[b->flow[i]];
	b->step++;
	b->ratio = b->missing = 0;
	if (!joint_there(e))
		return (0);
	r = joint_follow(s, b->step - 1, e / s->sd / s->scale);
	b->ratio = fabs(r) / s->limit;
	b->expected = now[b->level] - r * s->scale * s->sd;
	b->band = s->limit * s->scale * s->sd;
	b->missing = r * s->scale * s->sd / fabs(b->main);
	return (b->ratio);
}

void
system_balance_pack(struct pack *p, struct system_balance *b, size_t signals)
{
	double *const single[] = {
	    &b->main, &b->ratio, &b->expected, &b->band, &b->missing};
	size_t i;

	pack_count(p, &b->level, signals - 1);
	pack_count(p, &b->n, BALANCE_FLOWS);
	pack_count(p, &b->step, SIZE_MAX);
	for (i = 0; i < b->n && !p->failed; i++)
		pack_count(p, &b->flow[i], signals - 1);
	pack_doubles(p, b->b, 2 * b->n + 1);
	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		pack_doubles(p, single[i], 1);
	joint_pack_signal(p, &b->signal);
}
