/*
 * Covariates as regressors.
 *
 *	d_j(o, t) = m_j[min(t, last known at o)] - mean_k m_j[t' - k season]
 *	x_j(o, t) = d_j, d_j cos(2 pi t / day), d_j sin(2 pi t / day), i_j
 *
 * m_j: mean of a day up to t; k and t' as in the base that y departs
 * from, so that d is zero where the weather is what it was then; i_j: the same
 * of the single value, where it is known, else zero. With the Fourier terms
 * heat may count in the evening and not at night. All in units of y's own
 * residual, as the ridge asks for. What is known ahead of the series' end
 * is taken to have been known as far ahead at each origin of the past.
 * References: Bakker et al. 2014, "Improving the performance of water demand
 * forecasting models by using weather input", Procedia Engineering 70;
 * Hyndman and Athanasopoulos 2021, "Forecasting: principles and practice",
 * 7.4.
 */
#include "model/forecast_parts.h"

#include <math.h>

#define STALE  7 /* days behind the series' end that a column may stop */
#define TWO_PI 6.283185307179586

static double
value(const struct forecast_column *c, size_t t)
{
	return (t < c->n && isfinite(c->x[t]) ? c->x[t] : NAN);
}

/* Mean of the day up to t, if half of it is there. */
static void
days(struct forecast_column *c, size_t day, size_t end)
{
	double sum = 0;
	size_t t, have = 0;

	for (t = 0; t < end; t++) {
		const double in = value(c, t),
			     out = t >= day ? value(c, t - day) : NAN;

		if (!isnan(in)) {
			sum += in;
			have++;
		}
		if (!isnan(out)) {
			sum -= out;
			have--;
		}
		c->mean[t] =
		    t < c->n && have * 2 >= day ? sum / (double)have : NAN;
	}
}

/* Means of the same slot in the seasons of the base before t. */
static void
slots(
    struct forecast_column *c, const struct forecast_columns *m, size_t season)
{
	size_t t, k;

	for (t = 0; t < m->end; t++) {
		double mean = 0, one = 0;
		size_t means = 0, ones = 0;

		for (k = 1; k <= m->weeks && k * season <= t; k++) {
			const double d = c->mean[t - k * season],
				     x = value(c, t - k * season);

			if (!isnan(d)) {
				mean += d;
				means++;
			}
			if (!isnan(x)) {
				one += x;
				ones++;
			}
		}
		c->base[t] = means > 0 ? mean / (double)means : NAN;
		c->usual[t] = ones > 0 ? one / (double)ones : NAN;
	}
}

/* From the column's own departures to those of y. */
static void
units(struct forecast_column *c, double scale, size_t n)
{
	double mean = 0, one = 0;
	size_t t, means = 0, ones = 0;

	for (t = 0; t < n; t++) {
		const double m = c->mean[t] - c->base[t],
			     x = value(c, t) - c->usual[t];

		if (!isnan(m)) {
			mean += fabs(m);
			means++;
		}
		if (!isnan(x)) {
			one += fabs(x);
			ones++;
		}
	}
	c->unit = mean > 0 ? scale * (double)means / mean : 0;
	c->fine = one > 0 ? scale * (double)ones / one : 0;
}

static bool
prepare(struct forecast_columns *m, const struct forecast_grid *g,
    const struct forecast_covariate *from, struct arena *a)
{
	struct forecast_column *c = &m->column[m->n];

	*c = (struct forecast_column){.x = from->x, .n = from->n};
	while (c->n > 0 && !isfinite(c->x[c->n - 1]))
		c->n--;
	if (c->n + STALE * m->day < g->n || c->n == 0)
		return (true);
	c->reach = (int64_t)c->n - (int64_t)g->n;
	c->mean = arena_alloc(a, m->end * sizeof(double));
	c->base = arena_alloc(a, m->end * sizeof(double));
	c->usual = arena_alloc(a, m->end * sizeof(double));
	if (c->mean == NULL || c->base == NULL || c->usual == NULL)
		return (false);
	days(c, m->day, m->end);
	slots(c, m, g->season);
	units(c, m->scale, g->n);
	m->n++;
	return (true);
}

bool
forecast_columns_make(
    struct forecast_columns *m, const struct forecast_grid *g, struct arena *a)
{
	size_t i;

	m->wave = arena_alloc(a, 2 * m->day * sizeof(double));
	if (m->wave == NULL)
		return (false);
	for (i = 0; i < m->day; i++) {
		m->wave[2 * i] = cos(TWO_PI * (double)i / (double)m->day);
		m->wave[2 * i + 1] = sin(TWO_PI * (double)i / (double)m->day);
	}
	for (i = 0; i < g->ncolumns && i < FORECAST_COLUMNS; i++)
		if (!prepare(m, g, &g->columns[i], a))
			return (false);
	return (true);
}

size_t
forecast_columns_at(const struct forecast_columns *m, size_t origin, size_t t,
    size_t slot, double *ret)
{
	const double *wave = m->wave + 2 * (t % m->day);
	size_t j, n = 0;

	for (j = 0; j < m->n; j++) {
		const struct forecast_column *c = &m->column[j];
		const int64_t known = (int64_t)origin + c->reach;
		const bool seen = (int64_t)t < known;
		const size_t last = seen ? t
		    : known > 0		 ? (size_t)known - 1
					 : 0;
		double d = (c->mean[last] - c->base[slot]) * c->unit,
		       i = seen ? (value(c, t) - c->usual[slot]) * c->fine : 0;

		d = isnan(d) ? 0 : d;
		i = isnan(i) ? 0 : i;
		ret[n++] = d;
		ret[n++] = d * wave[0];
		ret[n++] = d * wave[1];
		ret[n++] = i;
	}
	return (n);
}
