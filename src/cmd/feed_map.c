#include "cmd/feed_map.h"

#include "cmd/tool.h"
#include "core/instant.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void
feed_map_free(struct feed_map *m)
{
	free(m->columns);
	m->columns = NULL;
	m->n = 0;
}

static bool
set_word(char *to, const char *from, const char *path, size_t line)
{
	if (strlen(from) >= FEED_WORD) {
		tool_error(
		    "%s: line %zu: \"%.40s...\" is too long", path, line, from);
		return (false);
	}
	strncpy(to, from, FEED_WORD);
	return (true);
}

static bool
is_double(const struct feed_map *m, const struct feed_column *c)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->columns[i].node, c->node) == 0 &&
		    strcmp(m->columns[i].metric, c->metric) == 0)
			return (true);
	return (false);
}

static bool
append(struct feed_map *m, const struct feed_column *c, const char *path,
    size_t line)
{
	const char *why = NULL;

	if (c->node[0] == '\0' || c->metric[0] == '\0')
		why = "has no node or no metric";
	else if (is_double(m, c))
		why = "is there twice";
	else if (m->n == CSV_CELLS)
		why = "is beyond the limit";
	if (why != NULL) {
		tool_error("%s: line %zu: %s/%s %s", path, line, c->node,
		    c->metric, why);
		return (false);
	}
	m->columns[m->n++] = *c;
	return (true);
}

static bool
map_row(struct feed_map *m, const struct csv *row, const int *at,
    const struct csv *header)
{
	struct feed_column c = {0};
	int i = csv_find(header, row->cells[at[0]]);

	if (i == -1) {
		tool_error("%s: line %zu: the data has no column \"%s\"",
		    row->path, row->line, row->cells[at[0]]);
		return (false);
	}
	c.index = (size_t)i;
	return (set_word(c.node, row->cells[at[1]], row->path, row->line) &&
	    set_word(c.metric, row->cells[at[2]], row->path, row->line) &&
	    set_word(c.unit, at[3] == -1 ? "" : row->cells[at[3]], row->path,
		row->line) &&
	    append(m, &c, row->path, row->line));
}

static bool
map_rows(struct feed_map *m, struct csv *f, const struct csv *header)
{
	static const char *const names[] = {"column", "node", "metric", "unit"};
	enum csv_result r;
	size_t i, ncells;
	int at[4];

	if ((r = csv_next(f)) == CSV_END)
		tool_error("%s: is empty", f->path);
	if (r != CSV_OK)
		return (false);
	for (i = 0; i < 4; i++)
		if ((at[i] = csv_find(f, names[i])) == -1 && i < 3) {
			tool_error("%s: no column \"%s\" in its first line",
			    f->path, names[i]);
			return (false);
		}
	ncells = f->ncells;
	while ((r = csv_next(f)) == CSV_OK) {
		if (f->ncells != ncells) {
			tool_error("%s: line %zu: %zu cells instead of %zu",
			    f->path, f->line, f->ncells, ncells);
			return (false);
		}
		if (!map_row(m, f, at, header))
			return (false);
	}
	return (r == CSV_END);
}

static bool
make(struct feed_map *m)
{
	m->n = 0;
	m->columns = calloc(CSV_CELLS, sizeof(*m->columns));
	if (m->columns == NULL)
		tool_error("out of memory");
	return (m->columns != NULL);
}

bool
feed_map_read(struct feed_map *m, const char *path, const struct csv *header)
{
	struct csv *f;
	bool ok;

	if ((f = calloc(1, sizeof(*f))) == NULL || !make(m)) {
		free(f);
		return (false);
	}
	ok = csv_open(f, path, ',') && map_rows(m, f, header);
	if (ok && m->n == 0) {
		tool_error("%s: maps nothing", path);
		ok = false;
	}
	csv_close(f);
	free(f);
	return (ok);
}

/* "DMA-{column}" and "dma1" give "DMA-dma1". */
static bool
spread_name(char *to, const char *pattern, const char *column)
{
	const char *hole = strstr(pattern, "{column}");
	int n;

	n = snprintf(to, FEED_WORD, "%.*s%s%s", (int)(hole - pattern), pattern,
	    column, hole + strlen("{column}"));
	return (n > 0 && n < FEED_WORD);
}

bool
feed_map_spread(struct feed_map *m, const struct csv *header, int time,
    const struct feed_column *pattern)
{
	struct feed_column c = *pattern;
	size_t i;

	if (strstr(pattern->node, "{column}") == NULL) {
		tool_error("the node template must have {column} in it");
		return (false);
	}
	if (!make(m))
		return (false);
	for (i = 0; i < header->ncells; i++) {
		if ((int)i == time)
			continue;
		c.index = i;
		if (!spread_name(c.node, pattern->node, header->cells[i])) {
			tool_error("column \"%.40s\": its name is too long",
			    header->cells[i]);
			return (false);
		}
		if (!append(m, &c, header->path, header->line))
			return (false);
	}
	return (m->n > 0);
}

static size_t
digits(const char *s)
{
	return (strspn(s, "0123456789"));
}

/* JSON wants a digit on both sides of the point and no zero in front. */
bool
feed_number(const char *s, char decimal, char ret[static FEED_NUMBER])
{
	const char *sign = *s == '-' ? "-" : "", *whole, *part = "", *power;
	size_t nwhole, npart = 0, npower;
	int n;

	s += *s == '-' || *s == '+';
	for (whole = s; whole[0] == '0' && whole[1] >= '0' && whole[1] <= '9';)
		whole++;
	nwhole = digits(whole);
	s = whole + nwhole;
	if (*s == decimal) {
		part = s + 1;
		npart = digits(part);
		s = part + npart;
	}
	if (nwhole + npart == 0)
		return (false);
	power = s;
	if (*s == 'e' || *s == 'E') {
		s += s[1] == '-' || s[1] == '+' ? 2 : 1;
		if (digits(s) == 0)
			return (false);
		s += digits(s);
	}
	npower = (size_t)(s - power);
	if (*s != '\0' || nwhole + npart + npower + 4 > FEED_NUMBER)
		return (false);
	n = snprintf(ret, FEED_NUMBER, "%s%.*s%s%.*s%.*s", sign,
	    nwhole == 0 ? 1 : (int)nwhole, nwhole == 0 ? "0" : whole,
	    npart == 0 ? "" : ".", (int)npart, part, (int)npower, power);
	return (n > 0 && n < FEED_NUMBER);
}

bool
feed_time(const char *cell, const char *format, char *ret, size_t size)
{
	char buf[INSTANT_TEXT];
	struct tm tm = {.tm_mday = 1}, back;
	const char *end;
	time_t t;

	if ((end = strptime(cell, format, &tm)) == NULL || *end != '\0')
		return (false);
	back = tm;
	t = timegm(&back);
	/* timegm() makes 2 March of 30 February. */
	if (back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon)
		return (false);
	/* Zero unless the format has %z. */
	t -= tm.tm_gmtoff;
	instant_format((int64_t)t * US_PER_SECOND, buf);
	return ((size_t)snprintf(ret, size, "%s", buf) < size);
}
