/*
 * The experts worth a try: tables of parameters, spanned over what the grid
 * allows. The rolling origins decide among them.
 */
#include "model/forecast_parts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* period (1 the day), count, decay, median */
static const double seasonal[][4] = {{0, 1, 1, 0}, {1, 1, 1, 0}, {0, 2, 1, 0},
    {0, 4, 1, 0}, {0, 4, 0.7, 0}, {0, 5, 1, 1}, {0, 8, 0.8, 0}, {1, 4, 0.8, 0},
    {1, 14, 0.9, 0}, {1, 28, 0.97, 0}};
static const double alphas[] = {0, 0.01, 0.04, 0.12};
static const double deltas[] = {0.01, 0.06, 0.2};
static const double omegas[] = {0.06, 0.15, 0.3};
static const double phis[] = {0.3, 0.8, 0.95};
/* lambda, half-life in seasons */
static const double regress[][2] = {{0.1, 8}, {0.1, 30}};

struct list {
	struct forecast_expert *to;
	size_t n, room;
};

static void
add(struct list *l, int kind, const double *param, size_t n)
{
	struct forecast_expert e = {.kind = kind};
	size_t i;

	for (i = 0; i < n; i++)
		e.param[i] = param[i];
	if (l->n < l->room)
		l->to[l->n++] = e;
}

static void
smooths(struct list *l, const struct forecast_grid *g)
{
	size_t i, logarithm, a, d, o, f;
	const size_t nd = g->day > 0 && g->week > 0 ? COUNT(deltas) : 1;

	for (i = 0; i < COUNT(alphas) * nd * COUNT(omegas) * COUNT(phis) * 2;
	     i++) {
		a = i / 2 % COUNT(alphas);
		f = i / 2 / COUNT(alphas) % COUNT(phis);
		o = i / 2 / COUNT(alphas) / COUNT(phis) % COUNT(omegas);
		d = i / 2 / COUNT(alphas) / COUNT(phis) / COUNT(omegas);
		logarithm = i % 2;
		if (logarithm && g->z == NULL)
			continue;
		add(l, FORECAST_SMOOTH,
		    (const double[]){alphas[a],
			g->week > 0 ? deltas[d] : omegas[o], omegas[o], phis[f],
			(double)logarithm},
		    5);
	}
}

/* Of the day alone, for data whose weekdays are too much alike to be worth
 * seven times the states. */
static void
smooths_of_day(struct list *l, const struct forecast_grid *g)
{
	size_t a, d, logarithm;

	for (a = 0; a < COUNT(alphas); a++)
		for (d = 0; d < COUNT(deltas); d++)
			for (logarithm = 0; logarithm < (g->z == NULL ? 1 : 2);
			     logarithm++)
				add(l, FORECAST_SMOOTH,
				    (const double[]){alphas[a], deltas[d], 0,
					phis[0], (double)logarithm, 1},
				    6);
}

static void
regressions(struct list *l, const struct forecast_grid *g, double columns)
{
	size_t i, logarithm;

	for (i = 0; i < COUNT(regress) && g->season > 1; i++)
		for (logarithm = 0; logarithm < (g->z == NULL ? 1 : 2);
		     logarithm++)
			add(l, FORECAST_REGRESS,
			    (const double[]){regress[i][0], regress[i][1],
				(double)logarithm, columns},
			    4);
}

size_t
forecast_candidates(
    const struct forecast_grid *g, struct forecast_expert *ret, size_t room)
{
	struct list l = {ret, 0, room};
	size_t i;

	for (i = 0; i < COUNT(seasonal); i++)
		if (seasonal[i][0] == 0 || (g->day > 0 && g->week > 0))
			add(&l, FORECAST_SEASONAL, seasonal[i], 4);
	regressions(&l, g, 0);
	if (g->ncolumns > 0)
		regressions(&l, g, 1);
	if (g->season > 1)
		add(&l, FORECAST_MOVING, NULL, 0);
	smooths(&l, g);
	if (g->day > 0 && g->week > 0)
		smooths_of_day(&l, g);
	return (l.n);
}
