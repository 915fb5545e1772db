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
/* Steps of the smoothing, a coarse grid and a finer one in its midst. */
static const struct {
	double alpha[4], delta[3], omega[3], phi[3];
	size_t alphas, deltas;
} grids[] = {{{0, 0.01, 0.04, 0.12}, {0.01, 0.06, 0.2}, {0.06, 0.15, 0.3},
		 {0.3, 0.8, 0.95}, 4, 3},
    {{0.005, 0.02}, {0.03, 0.1}, {0.03, 0.1, 0.2}, {0, 0.3, 0.6}, 2, 2}};
#define OMEGAS 3
#define PHIS   3
/* lambda, half-life in seasons, seasons of the base */
static const double regress[][3] = {
    {0.1, 8, 4}, {0.1, 30, 4}, {0.1, 8, 8}, {0.1, 30, 8}};

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
smooths(struct list *l, const struct forecast_grid *g, size_t of)
{
	const size_t nd = g->day > 0 && g->week > 0 ? grids[of].deltas : 1;
	size_t i;

	for (i = 0; i < grids[of].alphas * nd * OMEGAS * PHIS * 2; i++) {
		const size_t a = i / 2 % grids[of].alphas,
			     f = i / 2 / grids[of].alphas % PHIS,
			     o = i / 2 / grids[of].alphas / PHIS % OMEGAS,
			     d = i / 2 / grids[of].alphas / PHIS / OMEGAS;
		const double omega = grids[of].omega[o];

		if ((i % 2 == 1 && g->z == NULL) ||
		    (g->season == 1 && (grids[of].alpha[a] == 0 || o > 0)))
			continue; /* it would never learn, or is there */
		add(l, FORECAST_SMOOTH,
		    (const double[]){grids[of].alpha[a],
			g->week > 0 ? grids[of].delta[d] : omega, omega,
			grids[of].phi[f], (double)(i % 2)},
		    5);
	}
}

/* Of the day alone, for data whose weekdays are too much alike to be worth
 * seven times the states. */
static void
smooths_of_day(struct list *l, const struct forecast_grid *g)
{
	size_t a, d, logarithm;

	for (a = 0; a < grids[0].alphas; a++)
		for (d = 0; d < grids[0].deltas; d++)
			for (logarithm = 0; logarithm < (g->z == NULL ? 1 : 2);
			     logarithm++)
				add(l, FORECAST_SMOOTH,
				    (const double[]){grids[0].alpha[a],
					grids[0].delta[d], 0, grids[0].phi[0],
					(double)logarithm, 1},
				    6);
}

static void
regressions(struct list *l, const struct forecast_grid *g, bool columns)
{
	size_t i, logarithm;

	for (i = 0; i < COUNT(regress) && g->season > 1; i++)
		for (logarithm = 0; logarithm < (g->z == NULL ? 1 : 2);
		     logarithm++)
			add(l, FORECAST_REGRESS,
			    (const double[]){regress[i][0], regress[i][1],
				(double)logarithm, columns, regress[i][2]},
			    5);
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
	regressions(&l, g, false);
	if (g->ncolumns > 0)
		regressions(&l, g, true);
	if (g->season > 1)
		add(&l, FORECAST_MOVING, NULL, 0);
	for (i = 0; i < COUNT(grids); i++)
		smooths(&l, g, i);
	if (g->day > 0 && g->week > 0)
		smooths_of_day(&l, g);
	return (l.n);
}
