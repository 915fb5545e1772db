/*
 * penstock-lab leaks: the balances of the zones that a file of flows and
 * levels tells of, judged hour by hour.
 */
#include "cmd/lab.h"
#include "cmd/lab_csv.h"
#include "cmd/lab_series.h"
#include "cmd/tool.h"
#include "core/instant.h"
#include "model/balance.h"
#include "model/leak.h"
#include "model/leak_around.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LEARN_HOURS 168
/* With more zones, what one of them loses is chance. */
#define NEIGHBOURS_MOST 20
#define PRESSURES_MOST	200

struct alarm {
	struct leak_alarm what;
	int64_t hour; /* of the wall, whose reading raised it */
	size_t zone;
	struct leak_around around;
	double fell; /* the pressure that fell most */
};

struct work {
	struct lab_file file;
	struct balance_input *inputs; /* one per flow or level */
	size_t *series;		      /* of each input */
	size_t ninputs;
	double *pressures[PRESSURES_MOST];
	size_t pressure_series[PRESSURES_MOST];
	size_t npressures;
	struct balance_zone *zones;
	size_t nzones;
	int64_t first_hour;
	size_t hours;
	struct alarm *alarms;
	size_t nalarms, room;
};

/* --- the balances ----------------------------------------------------------
 */

static bool
kind_of(const struct lab_readings *s, enum balance_kind *ret)
{
	static const struct {
		const char *word;
		int kind;
	} words[] = {{"flow", BALANCE_FLOW}, {"demand", BALANCE_FLOW},
	    {"level", BALANCE_LEVEL}, {"value", BALANCE_UNKNOWN}};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(s->metric, words[i].word) != NULL) {
			*ret = (enum balance_kind)words[i].kind;
			return (true);
		}
	return (false);
}

static bool
span(struct work *w)
{
	int64_t from = INT64_MAX, to = INT64_MIN;
	size_t i;

	for (i = 0; i < w->file.n; i++) {
		const struct lab_readings *s = &w->file.series[i];

		if (s->n > 0 && lab_wall(s->t_us[0]) < from)
			from = lab_wall(s->t_us[0]);
		if (s->n > 0 && lab_wall(s->t_us[s->n - 1]) > to)
			to = lab_wall(s->t_us[s->n - 1]);
	}
	if (from > to || to - from > INT64_C(30) * 366 * US_PER_DAY) {
		tool_error("no readings, or too long a time");
		return (false);
	}
	w->first_hour = instant_floor(from, US_PER_HOUR) / US_PER_HOUR;
	w->hours = (size_t)(instant_floor(to, US_PER_HOUR) / US_PER_HOUR -
		       w->first_hour) +
	    1;
	return (true);
}

static double *
hourly(const struct work *w, const struct lab_readings *s)
{
	double *x = malloc(w->hours * sizeof(*x));
	struct lab_grid g;
	size_t t;

	if (x == NULL || !lab_grid_make(&g, s, US_PER_HOUR)) {
		free(x);
		return (NULL);
	}
	for (t = 0; t < w->hours; t++) {
		const int64_t at =
		    w->first_hour + (int64_t)t - g.t0_us / US_PER_HOUR;

		x[t] = at >= 0 && (size_t)at < g.n ? g.y[at] : NAN;
	}
	free(g.y);
	return (x);
}

static bool
pressures(struct work *w)
{
	size_t i;

	for (i = 0; i < w->file.n && w->npressures < PRESSURES_MOST; i++) {
		if (strcasestr(w->file.series[i].metric, "pressure") == NULL)
			continue;
		w->pressure_series[w->npressures] = i;
		w->pressures[w->npressures] = hourly(w, &w->file.series[i]);
		if (w->pressures[w->npressures] == NULL)
			return (false);
		w->npressures++;
	}
	return (true);
}

static bool
balances(struct work *w)
{
	const size_t n = w->file.n;
	size_t i;

	w->inputs = calloc(n + 1, sizeof(*w->inputs));
	w->series = calloc(n + 1, sizeof(*w->series));
	w->zones = calloc(n + 1, sizeof(*w->zones));
	if (w->inputs == NULL || w->series == NULL || w->zones == NULL ||
	    !span(w))
		return (false);
	for (i = 0; i < n; i++) {
		struct balance_input *in = &w->inputs[w->ninputs];

		if (!kind_of(&w->file.series[i], &in->kind))
			continue;
		if ((in->x = hourly(w, &w->file.series[i])) == NULL)
			return (false);
		w->series[w->ninputs++] = i;
	}
	if (!pressures(w))
		return (false);
	w->nzones = balance_zones(w->inputs, w->ninputs,
	    w->hours < LEARN_HOURS ? w->hours : LEARN_HOURS, w->zones);
	return (true);
}

/* --- judging ---------------------------------------------------------------
 */

static bool
keep(struct work *w, const struct alarm *a)
{
	struct alarm *list;

	if (w->nalarms == w->room) {
		w->room = w->room == 0 ? 64 : w->room * 2;
		list = realloc(w->alarms, w->room * sizeof(*list));
		if (list == NULL) {
			tool_error("out of memory");
			return (false);
		}
		w->alarms = list;
	}
	w->alarms[w->nalarms++] = *a;
	return (true);
}

/* Up to hour `now`, no further. */
static void
look_around(const struct work *w, struct alarm *a, size_t now)
{
	struct leak_change pressures[PRESSURES_MOST],
	    neighbours[NEIGHBOURS_MOST];
	double x[LEAK_AROUND_BEFORE + LEAK_AROUND_AFTER];
	const int64_t begun = a->what.onset - w->first_hour;
	const size_t onset = begun > 0 ? (size_t)begun : 0;
	const size_t from =
	    onset > LEAK_AROUND_BEFORE ? onset - LEAK_AROUND_BEFORE : 0;
	size_t to = onset + LEAK_AROUND_AFTER, n = 0, i, t;

	to = to > now + 1 ? now + 1 : to;
	for (i = 0; i < w->npressures; i++)
		pressures[i] = leak_change(
		    w->pressures[i] + from, to - from, onset - from);
	for (i = 0; i < w->nzones && w->nzones <= NEIGHBOURS_MOST; i++) {
		for (t = from; t < to; t++)
			x[t - from] = balance_at(&w->zones[i], w->inputs, t);
		if (i != a->zone)
			neighbours[n++] =
			    leak_change(x, to - from, onset - from);
	}
	a->around = leak_weigh(a->what.size, a->what.confidence, pressures,
	    w->npressures, neighbours, n);
	if (a->around.lowest < w->npressures)
		a->fell = pressures[a->around.lowest].change;
}

static bool
judge(struct work *w)
{
	struct leak *l = malloc(sizeof(*l));
	struct alarm a = {0};
	bool ok = l != NULL;
	size_t z, t;

	for (z = 0; z < w->nzones && ok; z++) {
		leak_init(l);
		for (t = 0; t < w->hours && ok; t++) {
			a.zone = z;
			a.hour = w->first_hour + (int64_t)t;
			if (leak_hour(l, a.hour,
				balance_at(&w->zones[z], w->inputs, t),
				&a.what) &&
			    a.what.kind != LEAK_SETTLED) {
				look_around(w, &a, t);
				ok = keep(w, &a);
			}
		}
	}
	free(l);
	return (ok);
}

static int
by_time(const void *a, const void *b)
{
	const struct alarm *x = a, *y = b;

	if (x->hour != y->hour)
		return ((x->hour > y->hour) - (x->hour < y->hour));
	return ((x->zone > y->zone) - (x->zone < y->zone));
}

/* --- telling ---------------------------------------------------------------
 */

/* "p227+p235-PUMP_1"; a tank's change is always taken away. */
static void
zone_name(const struct work *w, size_t zone, FILE *f)
{
	const struct balance_zone *z = &w->zones[zone];
	char name[512];
	size_t i, len = 0;

	for (i = 0; i < z->n && len < sizeof(name); i++) {
		const struct lab_readings *s =
		    &w->file.series[w->series[z->terms[i].input]];

		len += (size_t)snprintf(name + len, sizeof(name) - len, "%s%s",
		    i == 0			 ? ""
			: z->terms[i].factor > 0 ? "+"
						 : "-",
		    s->node);
	}
	lab_csv_cell(f, name);
}

static void
when(int64_t hour, FILE *f)
{
	const int64_t wall = hour * US_PER_HOUR;
	char text[INSTANT_TEXT];

	instant_format(wall - (lab_wall(wall) - wall), text);
	fprintf(f, ",%s", text);
}

static void
tell_around(const struct work *w, const struct alarm *a, FILE *f)
{
	const char *looks = leak_looks_name(a->around.looks);

	putc(',', f);
	if (a->around.lowest < w->npressures) {
		lab_csv_cell(f,
		    w->file.series[w->pressure_series[a->around.lowest]].node);
		fprintf(f, ",%.4g", a->fell);
	} else
		putc(',', f);
	fprintf(f, ",%s\n", looks == NULL ? "" : looks);
}

static void
tell(const struct work *w, FILE *f)
{
	size_t i;

	fputs("zone,onset,alarmed,kind,size,confidence,night_flow,"
	      "usual_night_flow,volume,pressure_node,pressure_change,"
	      "looks_like\n",
	    f);
	for (i = 0; i < w->nalarms; i++) {
		const struct leak_alarm *a = &w->alarms[i].what;

		zone_name(w, w->alarms[i].zone, f);
		when(a->onset, f);
		when(w->alarms[i].hour + 1, f);
		fprintf(f, ",%s,%.4g,%.3f,", leak_kind_name(a->kind), a->size,
		    w->alarms[i].around.confidence);
		if (!isnan(a->night))
			fprintf(f, "%.4g", a->night);
		putc(',', f);
		if (!isnan(a->usual))
			fprintf(f, "%.4g", a->usual);
		fprintf(f, ",%.4g", a->volume);
		tell_around(w, &w->alarms[i], f);
	}
}

static bool
leaks(struct work *w, const char *input, const char *output)
{
	FILE *f;

	if (!lab_file_read(&w->file, input) || !balances(w) || !judge(w))
		return (false);
	if (w->nalarms > 0)
		qsort(w->alarms, w->nalarms, sizeof(*w->alarms), by_time);
	if ((f = fopen(output, "we")) == NULL) {
		tool_error("%s: %s", output, strerror(errno));
		return (false);
	}
	tell(w, f);
	if (ferror(f) != 0 || fclose(f) != 0) {
		tool_error("%s: cannot be written", output);
		return (false);
	}
	tool_log("%zu zones, %zu hours, %zu alarms", w->nzones, w->hours,
	    w->nalarms);
	return (true);
}

int
lab_leaks(int argc, char **argv)
{
	static const struct option options[] = {
	    {"input", required_argument, NULL, 'i'},
	    {"output", required_argument, NULL, 'o'},
	    {"zone", required_argument, NULL, 'z'}, {NULL, 0, NULL, 0}};
	const char *input = NULL, *output = NULL, *zone = NULL;
	struct work w = {0};
	bool ok;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			break;
		*(c == 'i' ? &input : c == 'o' ? &output : &zone) = optarg;
	}
	if (c != -1 || optind != argc || input == NULL || output == NULL) {
		fprintf(stderr,
		    "usage: penstock-lab leaks --input FILE --output FILE "
		    "[--zone NAME]\n"
		    "zone: of the wall's clock, as Europe/Rome; else UTC\n");
		return (TOOL_USAGE);
	}
	ok = lab_zone(zone) && leaks(&w, input, output);
	for (i = 0; i < w.ninputs; i++)
		free((double *)(uintptr_t)w.inputs[i].x);
	for (i = 0; i < w.npressures; i++)
		free(w.pressures[i]);
	free(w.inputs);
	free(w.series);
	free(w.zones);
	free(w.alarms);
	lab_file_free(&w.file);
	return (ok ? TOOL_OK : TOOL_FAILED);
}
