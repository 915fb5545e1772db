#include "cmd/lab_series.h"

#include "cmd/lab_csv.h"
#include "cmd/tool.h"
#include "core/instant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CELLS_MOST 10000000 /* of one grid: 19 years by the minute */

static bool
more(struct lab_readings *s)
{
	const size_t room = s->room == 0 ? 256 : s->room * 2;
	int64_t *t = realloc(s->t_us, room * sizeof(*t));
	double *v;

	if (t == NULL)
		return (false);
	s->t_us = t;
	if ((v = realloc(s->value, room * sizeof(*v))) == NULL)
		return (false);
	s->value = v;
	s->room = room;
	return (true);
}

static bool
name(struct lab_readings *s, const struct lab_series *from)
{
	s->node = strdup(from->node);
	s->metric = strdup(from->metric);
	return (s->node != NULL && s->metric != NULL);
}

static bool
take(struct lab_file *f, const struct lab_csv *in, const struct lab_row *row)
{
	const size_t i = (size_t)row->series;
	struct lab_readings *s;

	if (i >= f->n) {
		s = realloc(f->series, (i + 1) * sizeof(*s));
		if (s == NULL)
			return (false);
		f->series = s;
		memset(&s[f->n], 0, (i + 1 - f->n) * sizeof(*s));
		f->n = i + 1;
		if (!name(&s[i], &in->series[i]))
			return (false);
	}
	s = &f->series[i];
	if (s->n == s->room && !more(s))
		return (false);
	s->t_us[s->n] = row->t_us;
	s->value[s->n++] = row->value;
	return (true);
}

bool
lab_file_read(struct lab_file *f, const char *path)
{
	struct lab_csv in;
	struct lab_row row;
	enum csv_result r;

	memset(f, 0, sizeof(*f));
	if (!lab_csv_open(&in, path))
		return (false);
	while ((r = lab_csv_next(&in, &row)) == CSV_OK)
		if (!take(f, &in, &row)) {
			tool_error("out of memory");
			r = CSV_BAD;
			break;
		}
	lab_csv_close(&in);
	if (r != CSV_END)
		lab_file_free(f);
	return (r == CSV_END);
}

void
lab_file_free(struct lab_file *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		free(f->series[i].node);
		free(f->series[i].metric);
		free(f->series[i].t_us);
		free(f->series[i].value);
	}
	free(f->series);
	f->series = NULL;
	f->n = 0;
}

bool
lab_zone(const char *zone)
{
	char path[256];
	int len;

	if (zone == NULL)
		zone = "UTC";
	len = snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
	if (len < 0 || (size_t)len >= sizeof(path) ||
	    strstr(zone, "..") != NULL || access(path, R_OK) != 0) {
		tool_error("no zone \"%s\" in /usr/share/zoneinfo", zone);
		return (false);
	}
	setenv("TZ", zone, 1);
	tzset();
	return (true);
}

int64_t
lab_wall(int64_t t_us)
{
	const time_t t =
	    (time_t)(instant_floor(t_us, US_PER_SECOND) / US_PER_SECOND);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL)
		return (t_us);
	return (t_us + tm.tm_gmtoff * US_PER_SECOND);
}

bool
lab_grid_make(struct lab_grid *g, const struct lab_readings *s, int64_t step_us)
{
	int64_t cells;
	uint32_t *have;
	size_t i, at;

	*g = (struct lab_grid){.step_us = step_us};
	if (s->n == 0)
		return (true);
	/* Whole days, so that days of a kind are the calendar's. */
	g->t0_us = instant_floor(lab_wall(s->t_us[0]), US_PER_DAY);
	cells = (lab_wall(s->t_us[s->n - 1]) - g->t0_us) / step_us + 1;
	if (cells > CELLS_MOST) {
		tool_error("%s/%s: too long for its step", s->node, s->metric);
		return (false);
	}
	g->n = (size_t)cells;
	g->y = calloc(g->n, sizeof(*g->y));
	have = calloc(g->n, sizeof(*have));
	if (g->y == NULL || have == NULL) {
		free(g->y);
		free(have);
		tool_error("out of memory");
		return (false);
	}
	for (i = 0; i < s->n; i++) {
		at = (size_t)((lab_wall(s->t_us[i]) - g->t0_us) / step_us);
		/* The hour that comes twice may end the series. */
		if (isnan(s->value[i]) || at >= g->n)
			continue;
		g->y[at] += (s->value[i] - g->y[at]) / ++have[at];
	}
	for (i = 0; i < g->n; i++)
		if (have[i] == 0)
			g->y[i] = NAN;
	free(have);
	return (true);
}

bool
lab_duration(const char *text, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t us;
	} units[] = {{'s', US_PER_SECOND}, {'m', US_PER_MINUTE},
	    {'h', US_PER_HOUR}, {'d', US_PER_DAY}};
	char *end;
	const long n = strtol(text, &end, 10);
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (n > 0 && n <= 100000 && end[0] == units[i].unit &&
		    end[1] == '\0') {
			*ret_us = n * units[i].us;
			return (true);
		}
	return (false);
}
