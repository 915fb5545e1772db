/*
 * penstock-lab forecast: each series from each origin, from the data before
 * it only.
 */
#include "cmd/feed_csv.h"
#include "cmd/lab.h"
#include "cmd/lab_calendar.h"
#include "cmd/lab_covariates.h"
#include "cmd/lab_csv.h"
#include "cmd/lab_series.h"
#include "cmd/tool.h"
#include "core/arena.h"
#include "core/instant.h"
#include "model/forecast.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY	     ((size_t)512 * 1024 * 1024)
#define ORIGINS_MOST 100000
#define AHEAD_MOST   (100000 * US_PER_DAY)

struct settings {
	const char *input, *output, *origins, *calendar, *baselines, *zone,
	    *covariates;
	int64_t origin_us, horizon_us, step_us, ahead_us;
};

/* Errors of one series where the file has what came; then of all series what
 * share of each baseline's error ours is. */
struct beside {
	double ours, theirs[FORECAST_BASELINES], share[FORECAST_BASELINES];
	size_t steps, all, series[FORECAST_BASELINES];
};

struct run {
	int64_t *origins;
	size_t norigins;
	struct lab_calendar calendar;
	struct lab_covariates covariates;
	size_t ahead; /* steps covariates are known behind an origin */
	size_t steps; /* of the horizon */
	int64_t step_us;
	struct arena arena;
	struct forecast_point *points;
	double *values[FORECAST_BASELINES];
	struct beside beside;
	FILE *out, *baselines;
	size_t made, refused;
};

/* --- what is asked ---------------------------------------------------------
 */

static int
by_time(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return ((x > y) - (x < y));
}

/* One time per line, the first cell; blank lines and a head are passed over. */
static bool
times(const char *path, int64_t **ret, size_t *ret_n)
{
	int64_t *t = calloc(ORIGINS_MOST, sizeof(*t));
	struct csv c;
	enum csv_result r;
	size_t n = 0;

	if (t == NULL || !csv_open(&c, path, ',')) {
		free(t);
		return (false);
	}
	while ((r = csv_next(&c)) == CSV_OK) {
		if (c.line == 1 && strpbrk(c.cells[0], "0123456789") == NULL)
			continue;
		if (n == ORIGINS_MOST || !lab_csv_time(c.cells[0], &t[n++])) {
			tool_error("%s: line %zu: %s", path, c.line,
			    n == ORIGINS_MOST ? "too many" : "not a time");
			r = CSV_BAD;
			break;
		}
	}
	csv_close(&c);
	if (r != CSV_END) {
		free(t);
		return (false);
	}
	qsort(t, n, sizeof(*t), by_time);
	*ret = t;
	*ret_n = n;
	return (true);
}

static bool
origins(struct run *run, const struct settings *set)
{
	if (set->origins != NULL)
		return (times(set->origins, &run->origins, &run->norigins));
	if ((run->origins = calloc(1, sizeof(int64_t))) == NULL)
		return (false);
	run->origins[0] = set->origin_us;
	run->norigins = 1;
	return (true);
}

/* --- one series ------------------------------------------------------------
 */

/* Step k of the horizon, on the series' grid. */
static size_t
cell_of(
    const struct run *run, const struct lab_grid *g, int64_t origin, size_t k)
{
	return (
	    (size_t)((lab_wall(origin + (int64_t)k * run->step_us) - g->t0_us) /
		run->step_us));
}

/* How many cells lie before the origin. Of an hour that comes again none does:
 * its cells hold both. */
static size_t
before(const struct run *run, const struct lab_grid *g, int64_t origin)
{
	size_t n, k, at;

	if (g->n == 0 || lab_wall(origin) <= g->t0_us)
		return (0);
	n = cell_of(run, g, origin, 0);
	for (k = 1; (int64_t)k * run->step_us <= US_PER_HOUR; k++) {
		at = cell_of(run, g, origin, k);
		n = at < n ? at : n;
	}
	return (n);
}

/* Origins may lie behind the last reading: what is between is missing. */
static bool
reach(const struct run *run, struct lab_grid *g)
{
	size_t n = g->n, o, at;
	double *y;

	for (o = 0; o < run->norigins; o++) {
		at = before(run, g, run->origins[o]);
		if (at > n && at <= g->n + FORECAST_POINTS)
			n = at;
	}
	if (n == g->n)
		return (true);
	if ((y = realloc(g->y, n * sizeof(*y))) == NULL) {
		tool_error("out of memory");
		return (false);
	}
	g->y = y;
	while (g->n < n)
		y[g->n++] = NAN;
	return (true);
}

/* The newest whole days before cell n that can be learnt from. */
static struct lab_grid
newest(struct lab_grid g, size_t n)
{
	const size_t day = (size_t)(US_PER_DAY / g.step_us);
	size_t skip = 0;

	if (n > FORECAST_POINTS && n <= g.n)
		skip = (n - FORECAST_POINTS + day - 1) / day * day;
	g.t0_us += (int64_t)skip * g.step_us;
	g.n -= skip;
	if (skip > 0)
		g.y += skip;
	return (g);
}

static void
head(FILE *f, const struct lab_readings *s, int64_t origin, int64_t t)
{
	char when[INSTANT_TEXT];

	lab_csv_cell(f, s->node);
	putc(',', f);
	lab_csv_cell(f, s->metric);
	instant_format(origin, when);
	fprintf(f, ",%s", when);
	instant_format(t, when);
	fprintf(f, ",%s", when);
}

/* One step, if all say something of it and the file does, too. */
static void
hold_beside(struct run *run, double came, double ours, size_t h)
{
	struct beside *x = &run->beside;
	bool whole = !isnan(came) && !isnan(ours);
	size_t b;

	for (b = 0; b < FORECAST_BASELINES; b++)
		whole = whole && !isnan(run->values[b][h]);
	if (!whole)
		return;
	x->ours += fabs(ours - came);
	for (b = 0; b < FORECAST_BASELINES; b++)
		x->theirs[b] += fabs(run->values[b][h] - came);
	x->steps++;
}

static void
next_series(struct run *run)
{
	struct beside *x = &run->beside;
	size_t b;

	for (b = 0; b < FORECAST_BASELINES; b++) {
		if (x->theirs[b] > 0) {
			x->share[b] += x->ours / x->theirs[b];
			x->series[b]++;
		}
		x->theirs[b] = 0;
	}
	x->all += x->steps;
	x->ours = 0;
	x->steps = 0;
}

static void
tell_beside(const struct run *run)
{
	const struct beside *x = &run->beside;
	size_t b;

	for (b = 0; b < FORECAST_BASELINES && x->series[b] > 0; b++)
		tool_log("error over %zu steps that are known: %.3f of %s",
		    x->all, x->share[b] / (double)x->series[b],
		    forecast_baselines[b]);
}

static void
baselines(struct run *run, const struct lab_readings *s,
    const struct lab_grid *g, const struct forecast_series *past, size_t o)
{
	const int64_t origin = run->origins[o];
	size_t b, k, h;

	for (b = 0; b < FORECAST_BASELINES; b++)
		if (!forecast_baseline((enum forecast_baseline)b, past,
			run->steps, &run->arena, run->values[b]))
			return;
	for (k = 0; (int64_t)k * run->step_us <
	     (int64_t)run->steps * run->step_us - US_PER_DAY;
	     k++) {
		h = cell_of(run, g, origin, k) - past->n;
		if (past->n + h < g->n)
			hold_beside(
			    run, g->y[past->n + h], run->points[h].value, h);
		for (b = 0; b < FORECAST_BASELINES && run->baselines != NULL;
		     b++) {
			if (isnan(run->values[b][h]))
				continue;
			head(run->baselines, s, origin,
			    origin + (int64_t)k * run->step_us);
			fprintf(run->baselines, ",%s,%.10g\n",
			    forecast_baselines[b], run->values[b][h]);
		}
	}
}

/* The horizon has a day more than asked for: a clock may be put forward. */
static void
one(struct run *run, const struct lab_readings *s, const struct lab_grid *whole,
    size_t o)
{
	const int64_t origin = run->origins[o];
	const struct lab_grid g = newest(*whole, before(run, whole, origin));
	struct forecast_covariate columns[FORECAST_COLUMNS];
	const size_t n = before(run, &g, origin);
	const struct forecast_series past = {.y = g.y,
	    .n = n,
	    .t0_us = g.t0_us,
	    .step_us = g.step_us,
	    .holidays = run->calendar.days,
	    .feasts = run->calendar.feasts,
	    .nholidays = run->calendar.n,
	    .covariates = columns,
	    .ncovariates = lab_covariates_cut(&run->covariates,
		(size_t)(g.y - whole->y), n + run->ahead, columns)};
	struct forecast_model model;
	enum forecast_result r = FORECAST_TOO_SPARSE;
	char when[INSTANT_TEXT];
	size_t k, untold = 0;

	if (past.n <= g.n)
		r = forecast_learn(&model, &past, run->steps, &run->arena);
	if (r == FORECAST_OK)
		r = forecast_answer(&model, &past, &run->arena, run->points);
	if (r != FORECAST_OK) {
		instant_format(origin, when);
		tool_error("%s/%s from %s: %s", s->node, s->metric, when,
		    forecast_reason(r));
		run->refused++;
		return;
	}
	for (k = 0; (int64_t)k * run->step_us <
	     (int64_t)run->steps * run->step_us - US_PER_DAY;
	     k++) {
		const struct forecast_point *p =
		    &run->points[cell_of(run, &g, origin, k) - past.n];

		if (isnan(p->value)) {
			untold++;
			continue;
		}
		head(run->out, s, origin, origin + (int64_t)k * run->step_us);
		fprintf(run->out, ",%.10g,%.10g,%.10g\n", p->value, p->lower,
		    p->upper);
	}
	if (untold > 0) {
		instant_format(origin, when);
		tool_error(
		    "%s/%s from %s: there is too little before it for %zu of "
		    "%zu steps",
		    s->node, s->metric, when, untold, k);
	}
	run->made++;
	baselines(run, s, &g, &past, o);
}

static bool
all(struct run *run, const struct lab_file *f)
{
	struct lab_grid g;
	size_t i, o;

	fputs("node,metric,origin,ts,value,lower95,upper95\n", run->out);
	if (run->baselines != NULL)
		fputs("node,metric,origin,ts,method,value\n", run->baselines);
	for (i = 0; i < f->n; i++) {
		if (!lab_grid_make(&g, &f->series[i], run->step_us))
			return (false);
		if (!reach(run, &g) ||
		    !lab_covariates_take(&run->covariates, &f->series[i], &g)) {
			free(g.y);
			return (false);
		}
		for (o = 0; o < run->norigins; o++) {
			one(run, &f->series[i], &g, o);
			arena_reset(&run->arena);
		}
		next_series(run);
		free(g.y);
	}
	return (true);
}

/* --- the command -----------------------------------------------------------
 */

static int
usage(void)
{
	fprintf(stderr,
	    "usage: penstock-lab forecast --input FILE --output FILE\n"
	    "    (--origin TS | --origins FILE) --horizon 168h [--step 1h]\n"
	    "    [--calendar FILE] [--covariates FILE [--known-ahead 0h]]\n"
	    "    [--zone NAME] [--baselines FILE]\n"
	    "calendar: holidays, a local date a line: 2026-12-25[,name]\n");
	return (TOOL_USAGE);
}

static bool
option(struct settings *set, int c)
{
	const struct {
		int c;
		const char **to;
	} words[] = {{'i', &set->input}, {'o', &set->output},
	    {'O', &set->origins}, {'c', &set->calendar}, {'b', &set->baselines},
	    {'z', &set->zone}, {'x', &set->covariates}};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].c == c) {
			*words[i].to = optarg;
			return (true);
		}
	if (c == 'h')
		return (lab_duration(optarg, &set->horizon_us));
	if (c == 's')
		return (lab_duration(optarg, &set->step_us));
	if (c == 'a' && strcmp(optarg, "0h") == 0) {
		set->ahead_us = 0;
		return (true);
	}
	if (c == 'a')
		return (lab_duration(optarg, &set->ahead_us));
	return (c == 't' && lab_csv_time(optarg, &set->origin_us));
}

static bool
parse(int argc, char **argv, struct settings *set)
{
	static const struct option options[] = {
	    {"input", required_argument, NULL, 'i'},
	    {"output", required_argument, NULL, 'o'},
	    {"origin", required_argument, NULL, 't'},
	    {"origins", required_argument, NULL, 'O'},
	    {"horizon", required_argument, NULL, 'h'},
	    {"step", required_argument, NULL, 's'},
	    {"calendar", required_argument, NULL, 'c'},
	    {"covariates", required_argument, NULL, 'x'},
	    {"known-ahead", required_argument, NULL, 'a'},
	    {"baselines", required_argument, NULL, 'b'},
	    {"zone", required_argument, NULL, 'z'}, {NULL, 0, NULL, 0}};
	int c;

	*set = (struct settings){.origin_us = INSTANT_NONE,
	    .step_us = US_PER_HOUR,
	    .ahead_us = AHEAD_MOST};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!option(set, c))
			return (false);
	return (optind == argc && set->input != NULL && set->output != NULL &&
	    (set->origins != NULL) == (set->origin_us == INSTANT_NONE) &&
	    set->horizon_us >= set->step_us && US_PER_DAY % set->step_us == 0);
}

static FILE *
open_out(const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		tool_error("%s: %s", path, strerror(errno));
	return (f);
}

static bool
close_out(FILE *f, const char *path)
{
	if (f == NULL || (ferror(f) == 0 && fclose(f) == 0))
		return (true);
	tool_error("%s: cannot be written", path);
	return (false);
}

static bool
run_all(struct run *run, const struct settings *set)
{
	struct lab_file f;
	size_t b;
	bool ok;

	run->step_us = set->step_us;
	run->steps = (size_t)((set->horizon_us + US_PER_DAY) / set->step_us);
	run->ahead = (size_t)(set->ahead_us / set->step_us);
	run->points = calloc(run->steps, sizeof(*run->points));
	for (b = 0; b < FORECAST_BASELINES; b++)
		run->values[b] = calloc(run->steps + 1, sizeof(double));
	if (run->points == NULL ||
	    run->values[FORECAST_BASELINES - 1] == NULL ||
	    !lab_zone(set->zone) || !origins(run, set) ||
	    (set->calendar != NULL &&
		!lab_calendar_read(&run->calendar, set->calendar)) ||
	    !lab_file_read(&f, set->input))
		return (false);
	ok = (set->covariates == NULL ||
		 lab_covariates_read(&run->covariates, set->covariates, &f)) &&
	    (run->out = open_out(set->output)) != NULL &&
	    (set->baselines == NULL ||
		(run->baselines = open_out(set->baselines)) != NULL) &&
	    all(run, &f);
	ok = close_out(run->out, set->output) &&
	    close_out(run->baselines, set->baselines) && ok;
	lab_file_free(&f);
	if (ok)
		tool_log("%zu forecasts, %zu refused", run->made, run->refused);
	if (ok)
		tell_beside(run);
	return (ok && run->made > 0);
}

int
lab_forecast(int argc, char **argv)
{
	struct settings set;
	struct run run = {0};
	size_t b;
	bool ok;

	if (!parse(argc, argv, &set))
		return (usage());
	arena_init(&run.arena, MEMORY);
	ok = run_all(&run, &set);
	arena_done(&run.arena);
	free(run.origins);
	lab_calendar_free(&run.calendar);
	lab_covariates_free(&run.covariates);
	free(run.points);
	for (b = 0; b < FORECAST_BASELINES; b++)
		free(run.values[b]);
	return (ok ? TOOL_OK : TOOL_FAILED);
}
