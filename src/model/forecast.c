#include "model/forecast_parts.h"

#include "core/instant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES 384
#define ORIGINS	   63	/* rolling, at most */
#define APART	   9	/* days of horizon that put origins a day apart */
#define ROUNDS	   12	/* of each choice */
#define GROUPS	   3	/* of bands that choose together */
#define FADE	   32.0 /* origins: how soon an old error counts half */
#define LATELY	   21	/* origins that tell the usual error */
#define MUCH	   2.0	/* times the usual error: how much one counts */
static const forecast_run runs[FORECAST_KINDS] = {
    [FORECAST_SEASONAL] = forecast_seasonal,
    [FORECAST_SMOOTH] = forecast_smooth,
    [FORECAST_REGRESS] = forecast_regress,
    [FORECAST_MOVING] = forecast_moving,
};

static const char *const reasons[] = {
    [FORECAST_OK] = "",
    [FORECAST_TOO_SHORT] = "the history is too short",
    [FORECAST_TOO_SPARSE] = "less than half of the history is there",
    [FORECAST_BAD_STEP] = "the step divides no day, or the horizon is too long",
    [FORECAST_NO_MEMORY] = "out of memory",
};

const char *const forecast_baselines[FORECAST_BASELINES] = {
    [FORECAST_SAME_DAY] = "same_hour_last_day",
    [FORECAST_SAME_WEEK] = "same_hour_last_week",
    [FORECAST_FOUR_WEEKS] = "mean_of_last_4_weeks",
    [FORECAST_ALPHA_BETA] = "alpha_beta_window",
};

/* The past that judges the experts, the best of which are looked at. */
struct trial {
	const struct forecast_grid *g;
	size_t origins[ORIGINS], norigins, horizon, day;
	size_t from, to; /* the origins that choose */
	double weight[ORIGINS];
	struct forecast_expert experts[FORECAST_EXPERTS];
	double losses[FORECAST_EXPERTS];
	double *out[FORECAST_EXPERTS]; /* of each, origins x horizon */
	double *spare;
	size_t nexperts;
	double *mean;  /* of those chosen so far */
	double *whole; /* of those chosen for the whole horizon */
	double *error; /* of what the other half of the origins chose */
};

/* Steps of the horizon. */
struct range {
	size_t from, to;
};

const char *
forecast_reason(enum forecast_result r)
{
	return (reasons[r]);
}

/* An eighth of a day, half of one, one, each more up to seven, the rest. */
size_t
forecast_band(size_t day, size_t h)
{
	if (h < day)
		return (h * 8 < day ? 0 : h * 2 < day ? 1 : 2);
	h = 2 + h / day;
	return (h < FORECAST_BANDS ? h : FORECAST_BANDS - 1);
}

static int
rising(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

static size_t
group_of(size_t band)
{
	return (band < 3 ? 0 : band < 5 ? 1 : 2);
}

/* Once a day back from the end, more apart before long horizons so that they
 * tell of more than a few of them, after more than two seasons; a single one
 * may come right after them. */
static void
roll(struct trial *t)
{
	const size_t first = 2 * t->g->season, n = t->g->n,
		     step = (t->horizon / t->day / APART + 1) * t->day;
	size_t most = n > first + 1 ? (n - first - 1) / step : 0, i;

	if (most == 0 && n >= first + step)
		most = 1;
	if (most > ORIGINS)
		most = ORIGINS;
	t->norigins = most;
	for (i = 0; i < most; i++)
		t->origins[i] = n - (most - i) * step;
}

static double
error_at(const struct trial *t, const double *f, size_t i, size_t h)
{
	const size_t at = t->origins[i] + h;

	return (at < t->g->n ? t->g->y[at] - f[i * t->horizon + h] : NAN);
}

static struct range
range_of(const struct trial *t, size_t group)
{
	struct range r = {0, 0};

	while (r.from < t->horizon &&
	    group_of(forecast_band(t->day, r.from)) < group)
		r.from++;
	r.to = r.from;
	while (
	    r.to < t->horizon && group_of(forecast_band(t->day, r.to)) == group)
		r.to++;
	return (r);
}

/* Mean absolute error of (1 - share) mean + share f, newer origins counting
 * more; INFINITY where f cannot say. */
static double
loss(const struct trial *t, const double *f, double share, struct range r)
{
	double sum = 0, weight = 0;
	size_t i, h;

	for (i = t->from; i < t->to; i++) {
		const double w = t->weight[i];
		const double *y = t->g->y + t->origins[i],
			     *m = t->mean + i * t->horizon,
			     *x = f + i * t->horizon;
		double miss = 0;
		size_t have = 0;

		for (h = r.from; h < r.to && t->origins[i] + h < t->g->n; h++)
			if (!isnan(y[h])) {
				miss +=
				    fabs(y[h] - m[h] - share * (x[h] - m[h]));
				have++;
			}
		sum += w * miss;
		weight += w * (double)have;
	}
	return (weight > 0 && !isnan(sum) ? sum / weight : INFINITY);
}

/* mean += share (f - mean) */
static void
blend(struct trial *t, const double *f, double share, struct range r)
{
	size_t i, h;

	for (i = 0; i < t->norigins; i++)
		for (h = r.from; h < r.to; h++) {
			double *m = &t->mean[i * t->horizon + h];

			*m += share * (f[i * t->horizon + h] - *m);
		}
}

/* Again and again the expert that lowers the loss most as one of equals; how
 * many. */
static size_t
choose(struct trial *t, struct range r, double *votes)
{
	double before = INFINITY;
	size_t round, i;

	for (i = 0; i < t->nexperts; i++)
		votes[i] = 0;
	for (round = 0; round < ROUNDS; round++) {
		const double share = 1.0 / (double)(round + 1);
		double best = INFINITY;
		size_t at = 0;

		for (i = 0; i < t->nexperts; i++) {
			const double l = loss(t, t->out[i], share, r);

			if (l < best) {
				best = l;
				at = i;
			}
		}
		if (!(best < before * 1.001))
			break;
		before = best;
		votes[at]++;
		blend(t, t->out[at], share, r);
	}
	return (round);
}

/* Half of the weight is chosen by the whole horizon's errors, half by the
 * group's own; all by the former where no origin reaches so far. */
static void
choose_all(struct trial *t, double (*ret)[FORECAST_EXPERTS])
{
	const size_t cells = t->norigins * t->horizon;
	const struct range all = {0, t->horizon};
	double whole[FORECAST_EXPERTS], own[FORECAST_EXPERTS];
	size_t rounds, i, e, n;

	memset(t->mean, 0, cells * sizeof(double));
	rounds = choose(t, all, whole);
	for (i = 0; i < cells; i++) {
		t->whole[i] = rounds > 0 ? t->mean[i] : NAN;
		t->mean[i] = 0;
	}
	for (i = 0; i < GROUPS; i++) {
		n = choose(t, range_of(t, i), own);
		blend(t, t->whole, n > 0 ? 0.5 : 1, range_of(t, i));
		for (e = 0; e < t->nexperts && ret != NULL; e++)
			ret[i][e] = rounds == 0 ? 0
			    : n == 0		? whole[e] / (double)rounds
				     : whole[e] / (double)rounds / 2 +
				own[e] / (double)n / 2;
	}
}

/* Each half of the origins is judged by what the other half chooses: those
 * that chose would flatter themselves. */
static void
cross(struct trial *t)
{
	const size_t middle = t->norigins / 2;
	size_t half, i, h;

	for (half = 0; half < 2; half++) {
		const size_t from = half == 0 ? 0 : middle,
			     to = half == 0 ? middle : t->norigins;

		t->from = half == 0 ? middle : 0;
		t->to = half == 0 ? t->norigins : middle;
		choose_all(t, NULL);
		for (i = from; i < to; i++)
			for (h = 0; h < t->horizon; h++)
				t->error[i * t->horizon + h] =
				    error_at(t, t->mean, i, h);
	}
	t->from = 0;
	t->to = t->norigins;
}

/* Where a half had nothing to choose by, what all of them chose has to do. */
static void
fill(struct trial *t)
{
	size_t i, h;

	for (i = 0; i < t->norigins; i++)
		for (h = 0; h < t->horizon; h++) {
			double *e = &t->error[i * t->horizon + h];

			if (isnan(*e))
				*e = error_at(t, t->mean, i, h);
		}
}

/* Newer origins count more; those where a mere look back at the season before,
 * which lies in the spare buffer, errs far more than it lately does count less:
 * a fortnight's outage would else choose for months. */
static void
weigh(struct trial *t)
{
	double miss[ORIGINS], sorted[ORIGINS], all = 0, usual;
	size_t i, h, n = 0;

	for (i = 0; i < t->norigins; i++) {
		double sum = 0;
		size_t have = 0;

		for (h = 0; h < t->horizon; h++) {
			const double e = fabs(error_at(t, t->spare, i, h));

			if (!isnan(e)) {
				sum += e;
				have++;
			}
		}
		miss[i] = have > 0 ? sum / (double)have : NAN;
		if (have > 0 && i + LATELY >= t->norigins) {
			sorted[n++] = miss[i];
			all += miss[i];
		}
	}
	if (n > 0)
		qsort(sorted, n, sizeof(*sorted), rising);
	usual = n > 0 ? fmax(sorted[n / 2], all / (double)n / 10) : INFINITY;
	for (i = 0; i < t->norigins; i++) {
		t->weight[i] = exp2(-(double)(t->norigins - i) / FADE);
		if (miss[i] > MUCH * usual)
			t->weight[i] *= pow(MUCH * usual / miss[i], 2);
	}
}

/* Takes what lies in the spare buffer, the best first; the worst goes. */
static void
enlist(struct trial *t, const struct forecast_expert *x)
{
	const double l = loss(t, t->spare, 1, (struct range){0, t->horizon});
	double *buffer = t->spare;
	size_t i;

	if (isinf(l) ||
	    (t->nexperts == FORECAST_EXPERTS &&
		!(l < t->losses[FORECAST_EXPERTS - 1])))
		return;
	if (t->nexperts < FORECAST_EXPERTS)
		t->nexperts++;
	t->spare = t->out[t->nexperts - 1];
	for (i = t->nexperts - 1; i > 0 && t->losses[i - 1] > l; i--) {
		t->losses[i] = t->losses[i - 1];
		t->experts[i] = t->experts[i - 1];
		t->out[i] = t->out[i - 1];
	}
	t->losses[i] = l;
	t->experts[i] = *x;
	t->out[i] = buffer;
}

static bool
reserve(struct trial *t, struct arena *a)
{
	const size_t cells = t->norigins * t->horizon + 1;
	size_t i;

	t->mean = arena_calloc(a, cells, sizeof(double));
	t->whole = arena_alloc(a, cells * sizeof(double));
	t->error = arena_calloc(a, cells, sizeof(double));
	t->spare = arena_alloc(a, cells * sizeof(double));
	for (i = 0; i < FORECAST_EXPERTS; i++)
		if ((t->out[i] = arena_alloc(a, cells * sizeof(double))) ==
		    NULL)
			return (false);
	return (t->mean != NULL && t->whole != NULL && t->error != NULL &&
	    t->spare != NULL);
}

/* Each candidate in turn, in memory that is used again. */
static bool
try_all(struct trial *t, struct arena *a)
{
	struct forecast_expert *list =
	    arena_calloc(a, CANDIDATES, sizeof(*list));
	struct arena scratch;
	struct forecast_job job = {
	    t->origins, t->norigins, t->horizon, &scratch, NULL};
	bool ok = list != NULL && reserve(t, a);
	size_t n, e;

	t->to = t->norigins;
	arena_init(&scratch, a->cap);
	n = ok ? forecast_candidates(t->g, list, CANDIDATES) : 0;
	for (e = 0; e < n && ok && t->norigins > 0; e++) {
		job.out = t->spare;
		ok = runs[list[e].kind](t->g, list[e].param, &job);
		if (ok && e == 0)
			weigh(t);
		if (ok)
			enlist(t, &list[e]);
		arena_reset(&scratch);
	}
	arena_done(&scratch);
	return (ok);
}

static void
keep(struct forecast_model *m, const struct trial *t,
    double (*weights)[FORECAST_EXPERTS])
{
	size_t e, b;

	for (e = 0; e < t->nexperts; e++) {
		struct forecast_expert *to = &m->experts[m->nexperts];
		double any = 0;

		*to = t->experts[e];
		for (b = 0; b < FORECAST_BANDS; b++)
			any += to->weight[b] = weights[group_of(b)][e];
		if (any > 0)
			m->nexperts++;
		else
			*to = (struct forecast_expert){0};
	}
}

enum forecast_result
forecast_learn(struct forecast_model *ret, const struct forecast_series *s,
    size_t horizon, struct arena *a)
{
	struct forecast_grid g;
	struct trial t = {.g = &g, .horizon = horizon};
	struct forecast_model m = {.version = FORECAST_VERSION};
	double weights[GROUPS][FORECAST_EXPERTS] = {{0}};
	enum forecast_result r;

	if (horizon == 0 || horizon > FORECAST_HORIZON)
		return (FORECAST_BAD_STEP);
	if ((r = forecast_grid_make(&g, s, a)) != FORECAST_OK)
		return (r);
	t.day = (size_t)(US_PER_DAY / s->step_us);
	roll(&t);
	if (t.norigins == 0 && g.week > 0) { /* two weeks, and none to judge */
		g.week = 0;
		g.season = g.day > 0 ? g.day : 1;
		roll(&t);
	}
	m.day = g.day;
	m.week = g.week;
	m.horizon = horizon;
	if (!try_all(&t, a))
		return (FORECAST_NO_MEMORY);
	cross(&t);
	choose_all(&t, weights);
	fill(&t);
	keep(&m, &t, weights);
	if (m.nexperts == 0)
		return (FORECAST_TOO_SHORT);
	if (!forecast_calibrate(&m,
		&(struct forecast_errors){
		    t.error, t.origins, t.norigins, t.horizon, t.day},
		a))
		return (FORECAST_NO_MEMORY);
	*ret = m;
	return (FORECAST_OK);
}

enum forecast_result
forecast_answer(const struct forecast_model *m, const struct forecast_series *s,
    struct arena *a, struct forecast_point *ret)
{
	struct forecast_grid g;
	const size_t day = (size_t)(US_PER_DAY / s->step_us);
	struct forecast_job job = {&s->n, 1, m->horizon, a, NULL};
	enum forecast_result r;
	size_t e, h;

	if ((r = forecast_grid_make(&g, s, a)) != FORECAST_OK)
		return (r);
	g.day = m->day;
	g.week = m->week;
	g.season = g.week > 0 ? g.week : g.day > 0 ? g.day : 1;
	if ((job.out = arena_alloc(a, m->horizon * sizeof(double))) == NULL)
		return (FORECAST_NO_MEMORY);
	for (h = 0; h < m->horizon; h++)
		ret[h] = (struct forecast_point){0, 0, 0};
	for (e = 0; e < m->nexperts; e++) {
		const struct forecast_expert *x = &m->experts[e];

		if (!runs[x->kind](&g, x->param, &job))
			return (FORECAST_NO_MEMORY);
		for (h = 0; h < m->horizon; h++) {
			const double w = x->weight[forecast_band(day, h)];

			if (!(w > 0) || isnan(job.out[h]))
				continue;
			ret[h].value += w * job.out[h];
			ret[h].upper += w; /* of those that can say */
		}
	}
	forecast_feasts(&g, s, m->horizon, job.out);
	for (h = 0; h < m->horizon; h++) {
		const size_t b = forecast_band(day, h);
		const double wide = m->spread[forecast_hour(day, s->n + h)] *
		    forecast_feast_width(s, s->n + h);

		ret[h].value = ret[h].upper > 0
		    ? ret[h].value / ret[h].upper + job.out[h]
		    : NAN;
		ret[h].lower = ret[h].value + wide * m->lower[b];
		ret[h].upper = ret[h].value + wide * m->upper[b];
	}
	return (FORECAST_OK);
}

bool
forecast_baseline(enum forecast_baseline which, const struct forecast_series *s,
    size_t horizon, struct arena *a, double *ret)
{
	static const double params[FORECAST_BASELINES][FORECAST_PARAMS] = {
	    [FORECAST_SAME_DAY] = {1, 1, 1, 0},
	    [FORECAST_SAME_WEEK] = {0, 1, 1, 0},
	    [FORECAST_FOUR_WEEKS] = {0, 4, 1, 0},
	};
	const struct forecast_job job = {&s->n, 1, horizon, a, ret};
	struct forecast_grid g = {.y = s->y, .n = s->n};

	g.day = (size_t)(US_PER_DAY / s->step_us);
	g.week = g.season = 7 * g.day;
	if (which == FORECAST_ALPHA_BETA)
		return (forecast_moving(&g, params[which], &job));
	return (forecast_seasonal(&g, params[which], &job));
}
