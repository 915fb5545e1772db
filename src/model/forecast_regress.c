/*
 * Direct regression of what departs from the last weeks' mean.
 *
 *	b_t = mean of y[t - k season], k = 1 .. K;  r_t = y_t - b_t
 *	f(o, h) = b_{o+h} + x(o, h) c_band(h)
 *
 * x: the last residual, mean residuals of the last hours, day, three days and
 * week, that of the same hour of the last day and of its neighbours, and how
 * far the slot's single weeks, its long mean and the hour's mean over days of
 * the same kind lie from b, how the level went on a year ago, and covariates
 * (forecast_columns.c). One ridge
 * regression for each band of the horizon, absolute errors by iterated
 * weights, old rows counting less. With no coefficient it is the mean of the
 * last weeks, so it can only be drawn away from that by what the data
 * shows. When residual history is short, b uses the weeks there are.
 * References: Marcellino, Stock and Watson 2006 (direct against iterated
 * forecasts), J. Econometrics 135; Schlossmacher 1973 (iterated weights for
 * least absolute errors), JASA 68(344); model/ridge.h.
 */
#include "model/forecast_parts.h"
#include "model/ridge.h"

#include <math.h>
#include <string.h>

#define LONGER	    6  /* seasons, behind those of the base */
#define OWN	    15 /* features of the series itself */
#define FEATURES    (OWN + FORECAST_TERMS * FORECAST_COLUMNS)
#define YEAR_WEEKS  52
#define LIKE_FROM   7 /* days back */
#define LIKE_TO	    34
#define TRAIN_WEEKS 40
#define ITERATIONS  3
#define ROWS_MOST   2500 /* of one band */
#define REFIT	    3	 /* seasons */

_Static_assert(FEATURES <= RIDGE_MOST, "each has its coefficient");

enum { LAMBDA, HALF_LIFE, LOGARITHM, COLUMNS, BASE };

struct regress {
	const struct forecast_grid *g;
	const double *y;
	double *base, *r, *sum; /* sum[t]: of residuals before t */
	double *slow;		/* long mean of the slot, less b */
	double *like;	 /* mean of the hour on days of its kind, less b */
	double *total;	 /* of y before t */
	uint32_t *count; /* how many those are */
	uint32_t *have;	 /* how many those are */
	size_t weeks;	 /* of the base */
	size_t season, day, end; /* base reaches to end */
	size_t k;		 /* features there are */
	double scale;
	struct forecast_columns columns;
	double c[FORECAST_BANDS][FEATURES];
	bool fitted[FORECAST_BANDS];
	struct row *rows;
};

struct row {
	double x[FEATURES], y, age; /* in seasons */
};

struct span {
	size_t from, to;
};

struct target {
	size_t origin, h, back; /* back: steps to the slot's last value */
};

static double
slot_mean(const struct regress *m, size_t t, size_t from, size_t to)
{
	double sum = 0;
	size_t k, have = 0;

	for (k = from; k <= to && k * m->season <= t; k++)
		if (t - k * m->season < m->g->n &&
		    !isnan(m->y[t - k * m->season])) {
			sum += m->y[t - k * m->season];
			have++;
		}
	return (have > 0 ? sum / (double)have : NAN);
}

static double
recent(const struct regress *m, size_t origin, size_t steps)
{
	const size_t from = origin > steps ? origin - steps : 0;
	const uint32_t have = m->have[origin] - m->have[from];

	return (have > 0 ? (m->sum[origin] - m->sum[from]) / have : 0);
}

/* Mean of the week around t. */
static double
around(const struct regress *m, size_t t)
{
	const size_t from = t - 7 * m->day / 2, to = t + 7 * m->day / 2;
	const uint32_t have = m->count[to] - m->count[from];

	return (have > 0 ? (m->total[to] - m->total[from]) / have : NAN);
}

/* How the level went on from this day a year ago. */
static double
year(const struct regress *m, const struct target *q)
{
	const size_t ago = YEAR_WEEKS * 7 * m->day, half = 7 * m->day / 2;
	double went;

	if (q->origin < ago + half || q->h + half >= ago)
		return (0);
	went = around(m, q->origin + q->h - ago) - around(m, q->origin - ago);
	return (isnan(went) ? 0 : went);
}

static double
or_zero(double x)
{
	return (isnan(x) ? 0 : x);
}

/* False where there is no base to depart from. */
static bool
features(const struct regress *m, const struct target *q, double *x)
{
	const size_t t = q->origin + q->h, o = q->origin, day = m->day,
		     same = t - (q->h / day + 1) * day;
	double b;

	if (t < q->back || isnan(b = m->base[t - q->back + m->season]))
		return (false);
	x[0] = or_zero(m->r[o - 1]);
	x[1] = recent(m, o, day / 8 + 1);
	x[2] = recent(m, o, day / 3 + 1);
	x[3] = recent(m, o, day);
	x[4] = recent(m, o, 3 * day);
	x[5] = recent(m, o, m->season);
	x[6] = same < o ? recent(m, same + 1, 1) : 0;
	x[7] = same >= day ? recent(m, same - day + 1, 1) : 0;
	x[8] = same + 2 <= o ? recent(m, same + 2, 3) : x[6];
	x[9] = or_zero(m->y[t - q->back] - b);
	x[10] = t >= q->back + m->season
	    ? or_zero(m->y[t - q->back - m->season] - b)
	    : 0;
	x[11] = or_zero(m->slow[t - q->back + m->season]);
	x[12] = m->scale;
	x[13] = or_zero(m->like[t - q->back + m->season]);
	x[14] = year(m, q);
	if (m->columns.n > 0)
		forecast_columns_at(
		    &m->columns, o, t, t - q->back + m->season, x + OWN);
	return (true);
}

static size_t
back_of(const struct regress *m, size_t h)
{
	return ((h / m->season + 1) * m->season);
}

static double
dot(const struct regress *m, const double *x, const double *c)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < m->k; i++)
		sum += x[i] * c[i];
	return (sum);
}

/* Targets of one band, the step between them so that there are at most
 * ROWS_MOST; how many. */
static size_t
gather(const struct regress *m, struct span band, size_t end, struct row *ret)
{
	const size_t first = 2 * m->season, most = TRAIN_WEEKS * m->season,
		     from = end > most + first ? end - most : first,
		     pairs = (end - from) * (band.to - band.from),
		     stride = pairs / ROWS_MOST + 1;
	size_t at, n = 0;

	for (at = 0; at < pairs; at += stride) {
		struct target t = {from + at / (band.to - band.from),
		    band.from + at % (band.to - band.from), 0};
		const size_t to = t.origin + t.h;

		t.back = back_of(m, t.h);
		if (to >= end || isnan(m->y[to]) || !features(m, &t, ret[n].x))
			continue;
		ret[n].y = m->y[to] - m->base[to - t.back + m->season];
		ret[n++].age = (double)(end - t.origin) / (double)m->season;
	}
	return (n);
}

/* Iterated weights: 1 / |error of the fit before|. */
static bool
solve(const struct regress *m, const double *param, const struct row *rows,
    size_t n, double *c)
{
	bool fitted = false;
	struct ridge r;
	size_t i, k;

	for (k = 0; k < ITERATIONS; k++) {
		ridge_init(&r, m->k);
		for (i = 0; i < n; i++) {
			const double miss = fitted
			    ? rows[i].y - dot(m, rows[i].x, c)
			    : rows[i].y;

			ridge_add(&r, rows[i].x, rows[i].y,
			    exp2(-rows[i].age / param[HALF_LIFE]) /
				fmax(fabs(miss), m->scale / 20));
		}
		if (!ridge_solve(&r, param[LAMBDA], c))
			break;
		fitted = true;
	}
	return (fitted);
}

static void
fit(struct regress *m, const double *param, size_t origin, size_t horizon)
{
	size_t b, h = 0, n;

	for (b = 0; b < FORECAST_BANDS && h < horizon; b++) {
		struct span band = {h, h};

		while (h < horizon && forecast_band(m->day, h) == b)
			h++;
		band.to = h;
		if (band.to == band.from)
			continue;
		n = gather(m, band, origin, m->rows);
		m->fitted[b] = solve(m, param, m->rows, n, m->c[b]);
	}
}

/* Mean of the same hour over the days of t's kind, those of the last week not
 * among them so that it holds for any origin of the week. */
static double
alike(const struct regress *m, size_t t)
{
	const size_t kind = m->g->kinds[t / m->day % 7];
	double sum = 0;
	size_t k, have = 0;

	for (k = LIKE_FROM; k <= LIKE_TO && k * m->day <= t; k++) {
		const size_t i = t - k * m->day;

		if (i < m->g->n && m->g->kinds[i / m->day % 7] == kind &&
		    !isnan(m->y[i])) {
			sum += m->y[i];
			have++;
		}
	}
	return (have > 0 ? sum / (double)have : NAN);
}

static bool
reserve(struct regress *m, const struct forecast_job *job)
{
	const size_t n = m->g->n;

	m->end = n + job->horizon + m->season;
	m->base = arena_alloc(job->arena, m->end * sizeof(double));
	m->slow = arena_alloc(job->arena, m->end * sizeof(double));
	m->like = arena_alloc(job->arena, m->end * sizeof(double));
	m->r = arena_alloc(job->arena, n * sizeof(double));
	m->sum = arena_alloc(job->arena, (n + 1) * sizeof(double));
	m->total = arena_alloc(job->arena, (n + 1) * sizeof(double));
	m->have = arena_alloc(job->arena, (n + 1) * sizeof(uint32_t));
	m->count = arena_alloc(job->arena, (n + 1) * sizeof(uint32_t));
	m->rows = arena_alloc(job->arena, (ROWS_MOST + 1) * sizeof(*m->rows));
	return (m->base != NULL && m->slow != NULL && m->like != NULL &&
	    m->r != NULL && m->sum != NULL && m->total != NULL &&
	    m->have != NULL && m->count != NULL && m->rows != NULL);
}

static bool
prepare(struct regress *m, const struct forecast_job *job)
{
	const size_t n = m->g->n;
	double sum = 0;
	size_t t;

	if (!reserve(m, job))
		return (false);
	m->sum[0] = m->total[0] = 0;
	m->have[0] = m->count[0] = 0;
	for (t = 0; t < m->end; t++) {
		m->base[t] = slot_mean(m, t, 1, m->weeks);
		m->slow[t] = slot_mean(m, t, m->weeks + 1, m->weeks + LONGER) -
		    m->base[t];
		m->like[t] = alike(m, t) - m->base[t];
	}
	for (t = 0; t < n; t++) {
		m->r[t] = m->y[t] - m->base[t];
		m->sum[t + 1] = m->sum[t] + or_zero(m->r[t]);
		m->have[t + 1] = m->have[t] + !isnan(m->r[t]);
		m->total[t + 1] = m->total[t] + or_zero(m->y[t]);
		m->count[t + 1] = m->count[t] + !isnan(m->y[t]);
		sum += fabs(or_zero(m->r[t]));
	}
	m->scale = m->have[n] > 0 ? sum / m->have[n] : 0;
	return (true);
}

static void
emit(const struct regress *m, const double *param,
    const struct forecast_job *job, size_t i)
{
	double x[FEATURES];
	size_t h;

	for (h = 0; h < job->horizon; h++) {
		const struct target q = {job->origins[i], h, back_of(m, h)};
		const size_t band = forecast_band(m->day, h);
		double *out = &job->out[i * job->horizon + h];

		*out = NAN;
		if (!features(m, &q, x))
			continue;
		*out = m->base[q.origin + h - q.back + m->season] +
		    (m->fitted[band] ? dot(m, x, m->c[band]) : 0);
		if (param[LOGARITHM] != 0)
			*out = exp(fmin(*out, 300));
	}
}

bool
forecast_regress(const struct forecast_grid *g, const double *param,
    const struct forecast_job *job)
{
	struct regress *m = arena_calloc(job->arena, 1, sizeof(*m));
	size_t i, fitted = 0;

	if (m == NULL)
		return (false);
	m->g = g;
	m->y = param[LOGARITHM] != 0 ? g->z : g->y;
	m->weeks = (size_t)param[BASE];
	m->season = g->season;
	m->day = g->day > 0 ? g->day : g->season;
	if (!prepare(m, job))
		return (false);
	m->columns.day = m->day;
	m->columns.weeks = m->weeks;
	m->columns.end = m->end;
	m->columns.scale = m->scale;
	if (param[COLUMNS] != 0 &&
	    !forecast_columns_make(&m->columns, g, job->arena))
		return (false);
	m->k = OWN + FORECAST_TERMS * m->columns.n;
	for (i = 0; i < job->norigins; i++) {
		if (i == 0 || job->origins[i] >= fitted + REFIT * g->season) {
			fitted = job->origins[i];
			fit(m, param, fitted, job->horizon);
		}
		emit(m, param, job, i);
	}
	return (true);
}
