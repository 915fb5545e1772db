#include "cmd/lab_covariates.h"

#include "cmd/tool.h"
#include "core/instant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool
is_common(const struct lab_readings *c, const struct lab_file *series)
{
	size_t i;

	for (i = 0; i < series->n; i++)
		if (strcmp(series->series[i].node, c->node) == 0)
			return (false);
	return (true);
}

bool
lab_covariates_read(
    struct lab_covariates *c, const char *path, const struct lab_file *series)
{
	size_t i;

	*c = (struct lab_covariates){0};
	if (!lab_file_read(&c->file, path))
		return (false);
	if ((c->common = calloc(c->file.n + 1, sizeof(*c->common))) == NULL) {
		tool_error("out of memory");
		lab_covariates_free(c);
		return (false);
	}
	for (i = 0; i < c->file.n; i++)
		c->common[i] = is_common(&c->file.series[i], series);
	return (true);
}

static void
drop(struct lab_covariates *c)
{
	while (c->ncolumns > 0)
		free(c->x[--c->ncolumns]);
}

void
lab_covariates_free(struct lab_covariates *c)
{
	drop(c);
	free(c->common);
	lab_file_free(&c->file);
	*c = (struct lab_covariates){0};
}

/* How many steps the last reading holds: as long as the one before did. */
static size_t
held(const struct lab_readings *s, const struct lab_grid *g)
{
	const int64_t gap =
	    s->n < 2 ? 0 : s->t_us[s->n - 1] - s->t_us[s->n - 2];

	return (gap > g->step_us && gap <= US_PER_DAY
		? (size_t)(gap / g->step_us) - 1
		: 0);
}

/* One column on the grid of the series, its readings held. */
static bool
lay(struct lab_covariates *c, const struct lab_readings *s,
    const struct lab_grid *g)
{
	const size_t day = (size_t)(US_PER_DAY / g->step_us);
	struct lab_grid own;
	int64_t shift, end;
	size_t t, gap = day;
	double *x, last = NAN;

	if (!lab_grid_make(&own, s, g->step_us))
		return (false);
	shift = (own.t0_us - g->t0_us) / g->step_us;
	end = shift + (int64_t)(own.n + held(s, g));
	if (own.n == 0 || end <= 0) { /* over before the series begins */
		free(own.y);
		return (true);
	}
	if ((x = calloc((size_t)end, sizeof(*x))) == NULL) {
		tool_error("out of memory");
		free(own.y);
		return (false);
	}
	for (t = 0; t < (size_t)end; t++) {
		const int64_t at = (int64_t)t - shift;

		x[t] = at >= 0 && at < (int64_t)own.n ? own.y[at] : NAN;
		gap = isnan(x[t]) ? gap + 1 : 0;
		if (gap == 0)
			last = x[t];
		else if (gap < day)
			x[t] = last;
	}
	free(own.y);
	c->x[c->ncolumns] = x;
	c->column[c->ncolumns++] = (struct forecast_covariate){x, (size_t)end};
	return (true);
}

bool
lab_covariates_take(struct lab_covariates *c, const struct lab_readings *s,
    const struct lab_grid *g)
{
	size_t i;
	int common;

	drop(c);
	for (common = 0; common < 2 && g->n > 0; common++)
		for (i = 0; i < c->file.n; i++) {
			const struct lab_readings *r = &c->file.series[i];

			if (c->ncolumns == FORECAST_COLUMNS)
				return (true);
			if (c->common[i] != common ||
			    (!common &&
				(strcmp(r->node, s->node) != 0 ||
				    strcmp(r->metric, s->metric) == 0)))
				continue;
			if (!lay(c, r, g))
				return (false);
		}
	return (true);
}

size_t
lab_covariates_cut(const struct lab_covariates *c, size_t skip, size_t most,
    struct forecast_covariate *ret)
{
	size_t i, n = 0;

	for (i = 0; i < c->ncolumns; i++)
		if (c->column[i].n > skip) {
			const size_t left = c->column[i].n - skip;

			ret[n++] = (struct forecast_covariate){
			    c->column[i].x + skip, left < most ? left : most};
		}
	return (n);
}
