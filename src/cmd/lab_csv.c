#include "cmd/lab_csv.h"

#include "cmd/tool.h"
#include "core/instant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NODE, METRIC, UNIT, TS, VALUE, COLUMNS };

static const char *const names[COLUMNS] = {
    "node", "metric", "unit", "ts", "value"};

bool
lab_csv_open(struct lab_csv *l, const char *path)
{
	int i;

	memset(l, 0, sizeof(*l));
	if (!csv_open(&l->csv, path, ','))
		return (false);
	if (csv_next(&l->csv) != CSV_OK) {
		tool_error("%s: no header", path);
		lab_csv_close(l);
		return (false);
	}
	for (i = 0; i < COLUMNS; i++)
		if ((l->column[i] = csv_find(&l->csv, names[i])) < 0) {
			tool_error("%s: no column \"%s\"", path, names[i]);
			lab_csv_close(l);
			return (false);
		}
	return (true);
}

void
lab_csv_close(struct lab_csv *l)
{
	int i;

	csv_close(&l->csv);
	for (i = 0; i < l->n; i++)
		free(l->series[i].node);
	free(l->series);
	free(l->index);
	l->series = NULL;
	l->index = NULL;
	l->n = 0;
}

static bool
bad(const struct lab_csv *l, const char *why)
{
	tool_error("%s: line %zu: %s", l->csv.path, l->csv.line, why);
	return (false);
}

/* FNV-1a of both names and a byte between. */
static size_t
hash(const char *node, const char *metric)
{
	uint64_t h = UINT64_C(14695981039346656037);
	const char *s;

	for (s = node; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	h *= UINT64_C(1099511628211);
	for (s = metric; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return ((size_t)(h ^ h >> 32));
}

static bool
same(const struct lab_series *s, char *const *cell)
{
	return (strcmp(s->node, cell[NODE]) == 0 &&
	    strcmp(s->metric, cell[METRIC]) == 0);
}

static size_t
slot_of(const struct lab_csv *l, const char *node, const char *metric)
{
	size_t i = hash(node, metric) & (l->slots - 1);

	while (l->index[i] != 0 &&
	    (strcmp(l->series[l->index[i] - 1].node, node) != 0 ||
		strcmp(l->series[l->index[i] - 1].metric, metric) != 0))
		i = (i + 1) & (l->slots - 1);
	return (i);
}

static bool
grow(struct lab_csv *l)
{
	int room = l->room == 0 ? 64 : l->room * 2, i;
	struct lab_series *series =
	    realloc(l->series, (size_t)room * sizeof(*series));
	int *index = calloc((size_t)room * 2, sizeof(*index));

	if (series != NULL)
		l->series = series;
	if (series == NULL || index == NULL) {
		free(index);
		return (bad(l, "out of memory"));
	}
	free(l->index);
	l->index = index;
	l->room = room;
	l->slots = (size_t)room * 2;
	for (i = 0; i < l->n; i++)
		index[slot_of(l, series[i].node, series[i].metric)] = i + 1;
	return (true);
}

/* The three names lie in one piece of memory. */
static bool
add(struct lab_csv *l, char *const *cell)
{
	size_t node = strlen(cell[NODE]) + 1, metric = strlen(cell[METRIC]) + 1,
	       unit = strlen(cell[UNIT]) + 1;
	struct lab_series *s;

	if (l->n == LAB_SERIES_MOST)
		return (bad(l, "too many series"));
	if (l->n == l->room && !grow(l))
		return (false);
	s = &l->series[l->n];
	if ((s->node = malloc(node + metric + unit)) == NULL)
		return (bad(l, "out of memory"));
	s->metric = s->node + node;
	s->unit = s->metric + metric;
	memcpy(s->node, cell[NODE], node);
	memcpy(s->metric, cell[METRIC], metric);
	memcpy(s->unit, cell[UNIT], unit);
	s->newest_us = INSTANT_NONE;
	l->index[slot_of(l, s->node, s->metric)] = ++l->n;
	return (true);
}

/* Files often tell one series after the other, in the same order each time. */
static bool
find(struct lab_csv *l, char *const *cell, int *ret)
{
	int next = l->last + 1 < l->n ? l->last + 1 : 0, known;

	if (l->n > 0 && same(&l->series[next], cell))
		known = next + 1;
	else if (l->n > 0 && same(&l->series[l->last], cell))
		known = l->last + 1;
	else
		known = l->n == 0
		    ? 0
		    : l->index[slot_of(l, cell[NODE], cell[METRIC])];
	if (known == 0) {
		if (!add(l, cell))
			return (false);
		known = l->n;
	}
	*ret = l->last = known - 1;
	return (true);
}

bool
lab_csv_time(const char *s, int64_t *ret_us)
{
	static const char *const rest[] = {"", "Z", ":00Z", "T00:00:00Z"};
	char text[64];
	size_t i;
	int len;

	for (i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		len = snprintf(text, sizeof(text), "%s%s", s, rest[i]);
		if (len > 0 && (size_t)len < sizeof(text) &&
		    instant_parse(text, (size_t)len, ret_us))
			return (true);
	}
	return (false);
}

/* No locale is ever set, so the decimal point is one. */
static bool
value_of(const char *text, double *ret)
{
	char *end;

	*ret = NAN;
	if (*text == '\0' || strcasecmp(text, "nan") == 0 ||
	    strcmp(text, "NA") == 0)
		return (true);
	*ret = strtod(text, &end);
	return (*end == '\0' && isfinite(*ret));
}

static bool
row(struct lab_csv *l, struct lab_row *ret)
{
	char *cell[COLUMNS];
	int i;

	for (i = 0; i < COLUMNS; i++) {
		if ((size_t)l->column[i] >= l->csv.ncells)
			return (bad(l, "too few cells"));
		cell[i] = l->csv.cells[l->column[i]];
	}
	if (cell[NODE][0] == '\0' || cell[METRIC][0] == '\0')
		return (bad(l, "no node or no metric"));
	if (!instant_parse(cell[TS], strlen(cell[TS]), &ret->t_us) &&
	    !lab_csv_time(cell[TS], &ret->t_us))
		return (bad(l, "ts is no RFC 3339 time"));
	if (!value_of(cell[VALUE], &ret->value))
		return (bad(l, "value is no number"));
	if (!find(l, cell, &ret->series))
		return (false);
	if (ret->t_us < l->series[ret->series].newest_us)
		return (bad(l, "earlier than its series' row before"));
	l->series[ret->series].newest_us = ret->t_us;
	return (true);
}

enum csv_result
lab_csv_next(struct lab_csv *l, struct lab_row *ret)
{
	enum csv_result r = csv_next(&l->csv);

	if (r == CSV_OK && !row(l, ret))
		return (CSV_BAD);
	return (r);
}

void
lab_csv_cell(FILE *f, const char *s)
{
	if (strpbrk(s, ",\"\r\n") == NULL) {
		fputs(s, f);
		return;
	}
	putc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putc('"', f);
		putc(*s, f);
	}
	putc('"', f);
}
