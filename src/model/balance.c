#include "model/balance.h"

#include <math.h>
#include <stdbool.h>

#define DAY	    24
#define SPAN	    6
#define INPUTS_MOST 1000 /* beyond, each stands by itself */
#define IDLE	    0.05 /* of the largest flow */
#define IDLE_LEAST  0.1	 /* share of hours at rest, and at work */
#define FEEDS	    0.3	 /* correlation */
#define TANK	    0.5
#define SHARE	    0.1
#define SUM_LOW	    0.7
#define SUM_HIGH    1.3
#define OPPOSED	    -0.3

struct slope {
	double slope, correlation, axis;
};

struct pairs {
	double n, x, y, xx, yy, xy;
};

static void
pair(struct pairs *p, double x, double y)
{
	if (isnan(x) || isnan(y))
		return;
	p->n++;
	p->x += x;
	p->y += y;
	p->xx += x * x;
	p->yy += y * y;
	p->xy += x * y;
}

static struct slope
slope_of(const struct pairs *p)
{
	const double sxx = p->xx - p->x * p->x / p->n,
		     syy = p->yy - p->y * p->y / p->n,
		     sxy = p->xy - p->x * p->y / p->n;

	if (p->n < DAY || !(sxx > 0) || !(syy > 0))
		return ((struct slope){0, 0, 0});
	return ((struct slope){
	    sxy / sxx, sxy / sqrt(sxx * syy), copysign(sqrt(syy / sxx), sxy)});
}

static struct slope
feeding(const double *flow, const double *pump, size_t learn)
{
	struct pairs p = {0};
	size_t t;

	for (t = 1; t < learn; t++)
		pair(&p, pump[t] - pump[t - 1], flow[t] - flow[t - 1]);
	return (slope_of(&p));
}

/* The level's change over an hour belongs between the hours' means. */
static struct slope
filling(const double *level, const double *pump, size_t learn)
{
	struct pairs p = {0};
	size_t t;

	for (t = 2; t < learn; t++)
		pair(&p, (pump[t] - pump[t - 2]) / 2,
		    level[t] - 2 * level[t - 1] + level[t - 2]);
	return (slope_of(&p));
}

/* The tank's area: a quarter of a day's pumping and rise, each less the day
 * before's so that the shape of demand falls out. Demand disturbs the one and
 * the level's resolution the other, so neither is regressed on the other: the
 * reduced major axis. */
static double
area(const double *level, const double *pump, size_t learn)
{
	struct pairs p = {0};
	size_t t, i;

	for (t = DAY + SPAN + 1; t < learn; t++) {
		double more = 0;

		for (i = t - SPAN; i < t; i++)
			more += (pump[i] + pump[i + 1] - pump[i - DAY] -
				    pump[i + 1 - DAY]) /
			    2;
		pair(&p,
		    level[t] - level[t - SPAN] - level[t - DAY] +
			level[t - DAY - SPAN],
		    more);
	}
	return (slope_of(&p).axis);
}

static struct slope
opposing(const double *a, const double *b, size_t learn)
{
	struct pairs p = {0};
	size_t t;

	/* A day apart, so that the common shape of days falls out. */
	for (t = DAY + 1; t < learn; t++)
		pair(&p, a[t] - a[t - 1] - a[t - DAY] + a[t - DAY - 1],
		    b[t] - b[t - 1] - b[t - DAY] + b[t - DAY - 1]);
	return (slope_of(&p));
}

static bool
intermittent(const struct balance_input *in, size_t learn)
{
	double most = 0, rest = 0, work = 0, n = 0;
	size_t t;

	for (t = 0; t < learn; t++)
		most = fmax(most, in->x[t]);
	for (t = 0; t < learn; t++) {
		n += !isnan(in->x[t]);
		rest += fabs(in->x[t]) <= IDLE * most;
		work += in->x[t] > most / 2;
	}
	return (in->kind != BALANCE_LEVEL && most > 0 &&
	    rest > IDLE_LEAST * n && work > IDLE_LEAST * n);
}

static void
term(struct balance_zone *z, size_t input, double factor, int is_rate)
{
	if (z->n < BALANCE_MOST)
		z->terms[z->n++] =
		    (struct balance_term){input, factor, is_rate};
}

/* What feeds the pump, less the pump. */
static bool
before_pump(const struct balance_input *in, size_t n, size_t pump, size_t learn,
    struct balance_zone *ret)
{
	struct balance_zone z = {.n = 0};
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		struct slope s;

		if (i == pump || in[i].kind == BALANCE_LEVEL ||
		    intermittent(&in[i], learn))
			continue;
		s = feeding(in[i].x, in[pump].x, learn);
		if (s.slope < SHARE || s.correlation < FEEDS)
			continue;
		sum += s.slope;
		term(&z, i, 1, 0);
	}
	if (sum < SUM_LOW || sum > SUM_HIGH)
		return (false);
	term(&z, pump, -1, 0);
	*ret = z;
	return (true);
}

static void
behind_pump(const struct balance_input *in, size_t n, size_t pump, size_t learn,
    struct balance_zone *ret)
{
	struct slope best = {0, TANK, 0};
	size_t i, tank = n;

	for (i = 0; i < n; i++) {
		struct slope s;

		if (i == pump || in[i].kind == BALANCE_FLOW)
			continue;
		s = filling(in[i].x, in[pump].x, learn);
		if (s.correlation > best.correlation && s.slope > 0) {
			best = s;
			tank = i;
		}
	}
	ret->n = 0;
	term(ret, pump, 1, 0);
	if (tank < n && area(in[tank].x, in[pump].x, learn) > 0)
		term(ret, tank, -area(in[tank].x, in[pump].x, learn), 1);
}

static void
take(const struct balance_zone *z, bool *taken)
{
	size_t i;

	for (i = 0; i < z->n; i++)
		taken[z->terms[i].input] = true;
}

static void
rest(const struct balance_input *in, size_t n, size_t learn, bool *taken,
    struct balance_zone *z)
{
	size_t i;

	for (i = z->terms[0].input + 1; i < n; i++)
		if (!taken[i] && in[i].kind != BALANCE_LEVEL &&
		    opposing(in[z->terms[0].input].x, in[i].x, learn)
			    .correlation < OPPOSED) {
			term(z, i, 1, 0);
			taken[i] = true;
		}
}

size_t
balance_zones(const struct balance_input *in, size_t n, size_t learn,
    struct balance_zone *ret)
{
	bool taken[INPUTS_MOST] = {false};
	size_t i, zones = 0;

	for (i = 0; i < n && n <= INPUTS_MOST && zones < n; i++) {
		struct balance_zone z;

		if (taken[i] || !intermittent(&in[i], learn))
			continue;
		behind_pump(in, n, i, learn, &ret[zones]);
		take(&ret[zones++], taken);
		if (zones < n && before_pump(in, n, i, learn, &z)) {
			take(&z, taken);
			ret[zones++] = z;
		}
	}
	for (i = 0; i < n && zones < n; i++) {
		if (in[i].kind == BALANCE_LEVEL ||
		    (n <= INPUTS_MOST && taken[i]))
			continue;
		ret[zones].n = 0;
		term(&ret[zones], i, 1, 0);
		if (n <= INPUTS_MOST)
			rest(in, n, learn, taken, &ret[zones]);
		zones++;
	}
	return (zones);
}

/* The change between two hours' means spans half of each, so with a tank the
 * flows are those of both halves. */
double
balance_at(
    const struct balance_zone *z, const struct balance_input *in, size_t t)
{
	bool tank = false;
	double sum = 0;
	size_t i;

	for (i = 0; i < z->n; i++)
		tank = tank || z->terms[i].is_rate;
	if (tank && t == 0)
		return (NAN);
	for (i = 0; i < z->n; i++) {
		const double *x = in[z->terms[i].input].x;

		if (z->terms[i].is_rate)
			sum += z->terms[i].factor * (x[t] - x[t - 1]);
		else if (tank)
			sum += z->terms[i].factor * (x[t] + x[t - 1]) / 2;
		else
			sum += z->terms[i].factor * x[t];
	}
	return (sum);
}
